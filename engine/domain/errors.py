"""Errors for the user: one exception, one catalogue."""

from __future__ import annotations

import errno
from collections.abc import Callable

from engine.domain.model import ErrorInfo
from engine.domain.reasons import Condition
from engine.domain.record import record
from engine.domain.secrets import hide

DOCS = "docs/errors.md"


@record
class CatalogueEntry:
    """Properties of an error that follow from its code alone.

    `message` and `recovery` are its texts where nothing more precise is known. The other fields
    decide how the program reacts; no other module keeps a set of codes.
    """

    message: str
    recovery: str
    is_limit: bool = False
    """A limit that all runs share: the queue waits for its reset, and no retry is used up."""
    is_retried: bool = False
    """True if it can pass: automatic retries are for these errors, and for no others."""
    is_login: bool = False
    """True if it fails every queued run alike until the user does something."""
    is_resumable: bool = False
    """The run can go on with `resume`."""
    is_final: bool = False
    """Another attempt fails with it at once."""
    is_of_agent: bool = False
    """The agent's program, login or settings are not in order; the simulated agent needs none."""
    has_stderr: bool = False
    """The agent's stderr has details."""
    has_detail: bool = False
    """True if it covers different failures, which only the message distinguishes."""
    ends_checkpoints: bool = False
    """Another try at a checkpoint fails with it, too."""
    stops_store: bool = False
    """Raised by the store, it is not about a run: the change is tried again."""
    is_of_database: bool = False
    """The database cannot be opened or written."""
    is_damage: bool = False
    """The database stays lost until it is repaired."""
    is_recoverable: bool = False
    """`doctor --recover` can rebuild the database."""
    loses_home: bool = False
    """The home is no longer where it was opened: nothing in this process can use it again."""
    may_be_damage: bool = False
    """A git that met missing or broken objects, or did not name its problem."""
    hides_repository: bool = False
    """git cannot read the repository; work on its files alone needs no git."""
    starts_over: bool = False
    """The run's work went with its node: another attempt starts over."""
    returns_to_queue: bool = False
    """True if there was no start, for want of a slot: the run waits in the queue."""
    waits_for_node: bool = False
    """The run's node cannot be used at the moment: the run waits until it can, or is lost."""
    is_node_away: bool = False
    """The run's node does not answer, for now or for good."""
    condition: Condition | None = None
    """The condition of the machine that it reports, where that passes by itself."""


# Agents add the errors of their programs, logins and settings (engine/agents/profiles.py).
CATALOGUE: dict[str, CatalogueEntry] = {
    "API_UNREACHABLE": CatalogueEntry(
        "The model provider could not be reached.",
        "Check the network and any proxy, then retry: the run goes on from where it stood.",
        is_retried=True,
    ),
    "API_OVERLOADED": CatalogueEntry(
        "The model provider is overloaded.",
        "Wait a little, then retry.",
        is_retried=True,
    ),
    "API_REFUSED": CatalogueEntry(
        "The model provider refused the request.",
        "Check the model's name and the settings against the provider's answer, then retry.",
        has_detail=True,
    ),
    "RATE_LIMITED": CatalogueEntry(
        "The model provider's rate limit was reached.",
        "Wait for it to reset, or use fewer slots, then retry.",
        is_limit=True,
    ),
    "QUOTA_EXCEEDED": CatalogueEntry(
        "The account's quota is used up.", "Check the plan and billing details, then retry."
    ),
    "USAGE_LIMIT_REACHED": CatalogueEntry(
        "The plan's usage limit was reached.",
        "Wait for the limit to reset, then resume the run.",
        is_limit=True,
        is_resumable=True,
    ),
    "CONTEXT_WINDOW_EXCEEDED": CatalogueEntry(
        "The thread no longer fits into the model's context window.",
        "Start over with `retry --fresh` and a smaller task, or choose a model with more room.",
    ),
    "ACCOUNT_UNKNOWN": CatalogueEntry(
        "The settings have no such account.",
        "Name one of `accounts` in the settings, or add it there.",
    ),
    "THREAD_NOT_FOUND": CatalogueEntry(
        "The agent no longer knows this thread.", "Start over with `retry --fresh`."
    ),
    "THREAD_IN_USE": CatalogueEntry(
        "The run's thread is open in a terminal.",
        "Leave the agent there first, then try again.",
    ),
    "WORKSPACE_MISSING": CatalogueEntry(
        "The run's workspace is gone.",
        "Start over with `retry --fresh`.",
        ends_checkpoints=True,
    ),
    "HOST_UNKNOWN": CatalogueEntry(
        "The machine of this run is not known here.",
        "Use this home from a program that knows it, or start the run on this machine.",
    ),
    "CLUSTER_NOT_SET": CatalogueEntry(
        "No cluster is set up for this home.",
        "Set `cluster.scheduler` in the settings, or start the run with `--on local`.",
    ),
    "CLUSTER_NOT_INSTALLED": CatalogueEntry(
        "Cluster support is not installed.",
        "Install it: `pip install 'swarm-tui[cluster]'`.",
    ),
    "NODE_NEEDS_LINUX": CatalogueEntry(
        "Nodes need Linux: only there can their runs be ended for sure when they are cut off.",
        "Start the node on a machine with Linux; engines and the scheduler can run elsewhere.",
    ),
    "CLUSTER_UNREACHABLE": CatalogueEntry(
        "The scheduler of the cluster cannot be reached.",
        "Check `cluster` in the settings, and that the scheduler runs: `swarm-tui nodes`.",
    ),
    "CLUSTER_INSECURE": CatalogueEntry(
        "Without TLS, the cluster may only be on this machine.",
        "Make certificates with `swarm-tui cluster certificates` and use a tls:// address.",
    ),
    "CERTIFICATE_INVALID": CatalogueEntry(
        "A certificate of the cluster cannot be used.",
        "Make it again with `swarm-tui cluster certificates`.",
    ),
    "CERTIFICATE_EXISTS": CatalogueEntry(
        "This certificate exists already.",
        "Remove its files first if it is to be replaced, or choose another folder.",
    ),
    "CLUSTER_ADDRESS_UNAVAILABLE": CatalogueEntry(
        "The scheduler or the node cannot listen at this address.",
        "Choose another with --host or --port.",
    ),
    "NODE_NAME_TAKEN": CatalogueEntry(
        "The cluster has another node of this name.",
        "Choose another with --name, or stop the other node and wait until its lease ends.",
    ),
    "NODE_RUNS_ALREADY": CatalogueEntry(
        "A node works in this folder already.",
        "Choose another with --root, or stop the other node.",
    ),
    "NODE_UNKNOWN": CatalogueEntry(
        "The cluster has no node of this name.",
        "List the nodes with `swarm-tui nodes`, or let the cluster choose: `--on any`.",
    ),
    "NODE_UNREACHABLE": CatalogueEntry(
        "The node does not answer at the moment.",
        "Wait: it comes back, or its runs are ended and reported as lost.",
        waits_for_node=True,
        is_node_away=True,
    ),
    "NODE_FULL": CatalogueEntry(
        "The node has no free slot at the moment.",
        "Wait for one, or start the node with more slots.",
        returns_to_queue=True,
        waits_for_node=True,
    ),
    "NODE_LOST": CatalogueEntry(
        "The node of the run was cut off, and ended it.",
        "Retry: the run starts over, with `--on any` on another node.",
        starts_over=True,
        is_retried=True,
        ends_checkpoints=True,
        is_node_away=True,
    ),
    "NODE_FAILED": CatalogueEntry(
        "The node could not do this.",
        "Look at the log of `swarm-tui node` there.",
        has_detail=True,
    ),
    "NODE_INCOMPATIBLE": CatalogueEntry(
        "The node has another version of swarm-tui.",
        "Install the same version on both machines.",
    ),
    "NODE_CANNOT": CatalogueEntry(
        "This cannot be done with a run on another machine.",
        "Use `swarm-tui diff`, `logs` and `apply`, or start the run with `--on local`.",
        has_detail=True,
    ),
    "WORKSPACE_REMOTE": CatalogueEntry(
        "The run's workspace is on another machine.",
        "Use `swarm-tui diff` and `apply`, which need no folder on this machine.",
        ends_checkpoints=True,
    ),
    "WORKSPACE_TOO_LARGE": CatalogueEntry(
        "The folder is too large to copy.",
        "Copy a smaller folder, or raise workspace.copy_limit in the settings.",
    ),
    "WORKSPACE_UNSAFE": CatalogueEntry(
        "This folder may not serve as a workspace.",
        "Name a project folder instead.",
        ends_checkpoints=True,
        hides_repository=True,
    ),
    "WORKSPACE_BUSY": CatalogueEntry(
        "Something else is at work in this folder.", "Wait until it is done, then try again."
    ),
    "PLAN_CHANGED": CatalogueEntry(
        "The plan has changed since it was made: nothing was deleted.",
        "Make a new plan, read it, and confirm it with its digest.",
    ),
    "WORK_UNSAVED": CatalogueEntry(
        "This work is nowhere else.",
        "Apply it with `swarm-tui apply`, or delete it all the same with --including-unsaved.",
    ),
    "CHANGES_UNKNOWN": CatalogueEntry(
        "The changes of this run are unknown: its baseline is missing.",
        "Save its files with `swarm-tui get`, then start over with `retry --fresh`.",
        ends_checkpoints=True,
    ),
    "APPLY_CONFLICT": CatalogueEntry(
        "The run's changes do not fit: nothing was changed.",
        "Commit or move away what the named files hold, take the changes as a patch or a commit on "
        "the run's branch, or hand the conflict to the agent with `swarm-tui apply RUN --resolve`.",
    ),
    "UPDATE_CONFLICT": CatalogueEntry(
        "The newest commit of the base conflicts with the run's changes: nothing was changed.",
        "Hand the conflict to the agent with `swarm-tui update RUN --resolve`.",
    ),
    "UPDATE_REFUSED": CatalogueEntry(
        "The workspace cannot be updated: nothing was changed.",
        "Start a new run from the newest commit, or use git in the workspace.",
    ),
    "UNDO_REFUSED": CatalogueEntry(
        "The source has changed since the changes were applied: nothing was undone.",
        "Undo it with git, for example with `git restore` or `git revert`.",
    ),
    "PATCH_TOO_LARGE": CatalogueEntry(
        "The patch is too large.",
        "Apply the changes as edits, a commit or a merge instead, copy large files with "
        "`swarm-tui get`, or show single files with `swarm-tui diff RUN PATH`.",
    ),
    "GIT_MISSING": CatalogueEntry(
        "git was not found.",
        "Install git (2.31 or newer), then try again.",
        ends_checkpoints=True,
    ),
    "FILTER_NOT_RUN": CatalogueEntry(
        "A changed file needs a filter that is not run: nothing was changed.",
        "Apply the changes as edits and commit them with git, or define the filter in your own git "
        "configuration (for Git LFS: `git lfs install`).",
    ),
    "SIGNING_FAILED": CatalogueEntry(
        "The commit could not be signed.",
        "Unlock the key (`git commit` in a terminal asks for it), or correct commit.gpgSign and "
        "user.signingKey in your global git configuration; `--as edits` signs nothing.",
    ),
    "GIT_FAILED": CatalogueEntry(
        "git could not do its part.",
        "Fix the problem that git names, then try again.",
        has_detail=True,
        may_be_damage=True,
    ),
    "GIT_LOCKED": CatalogueEntry(
        "Another git holds a lock in the repository.",
        "Wait until it has ended; if none is at work, delete the lock file named, then try again.",
    ),
    "GIT_NOT_PERMITTED": CatalogueEntry(
        "git may not read or write a file of the repository.",
        "Make the file or folder named readable and writable for you, then try again.",
    ),
    "GIT_OBJECT_MISSING": CatalogueEntry(
        "The repository lacks an object: it is a partial or shallow clone, or is damaged.",
        "Fetch what is missing, for example with `git fetch --refetch`, then try again.",
        may_be_damage=True,
        hides_repository=True,
    ),
    "GIT_DAMAGED": CatalogueEntry(
        "The repository is damaged.",
        "Run `git fsck` in it, repair it, then try again.",
        may_be_damage=True,
        hides_repository=True,
    ),
    "GIT_IDENTITY_MISSING": CatalogueEntry(
        "git does not know whose commits these are.",
        "Set user.name and user.email with `git config --global`, then try again.",
    ),
    "GIT_NO_COMMIT": CatalogueEntry(
        "The repository has no commit yet.", "Commit something first, or use --copy."
    ),
    "GIT_UNFINISHED": CatalogueEntry(
        "A merge, rebase or the like is unfinished in the repository.",
        "Finish or abort it (`git status` names it), then try again.",
    ),
    "GIT_CONFIG_INVALID": CatalogueEntry(
        "git cannot read its settings.",
        "Correct the line that git names, then try again.",
        hides_repository=True,
    ),
    "GIT_TOO_OLD": CatalogueEntry(
        "This git is too old for the repository or for swarm-tui.",
        "Update git (2.31 or newer), then try again.",
        hides_repository=True,
    ),
    "GIT_KILLED": CatalogueEntry(
        "git was killed before it was done.",
        "Try again; where it happens repeatedly, check whether the machine runs out of memory.",
    ),
    "SETUP_FAILED": CatalogueEntry(
        "The workspace could not be set up.",
        "Read the output with `swarm-tui logs --setup`, fix it, then retry: the set-up runs "
        "again in the same folder.",
        has_detail=True,
    ),
    "SETUP_NOT_TRUSTED": CatalogueEntry(
        "The repository has settings of its own that you have not trusted.",
        "Read .swarm/config.yaml; if you trust it, start the run with --trust, else with "
        "--no-setup; commit what the workspace lacks.",
    ),
    "VERIFY_NOT_TRUSTED": CatalogueEntry(
        "The repository's check would run files that are not as you trusted them.",
        "Look at them with `swarm-tui diff RUN`; to have the check run whatever the agent changed, "
        "start a run with the command as your own: --verify CMD.",
    ),
    "BATCH_NOT_TRUSTED": CatalogueEntry(
        "The file of a batch or flow asks for more than your settings allow.",
        "Read the file; if you trust it, start the batch with --trust.",
    ),
    "SOURCE_MOVED": CatalogueEntry(
        "The run's source is no longer where it was.",
        "Name its new place with `swarm-tui apply RUN --to DIR`, or take the changes with "
        "`--as patch`.",
    ),
    "BASE_INVALID": CatalogueEntry(
        "The base to start from is not a commit of the repository.",
        "Name a branch, tag or commit of it: `git branch --all` and `git tag` list them.",
    ),
    "FETCH_FAILED": CatalogueEntry(
        "The base could not be fetched from its remote.",
        "Check that `git fetch` works there without a question, then try again.",
    ),
    "PUSH_FAILED": CatalogueEntry(
        "The branch could not be pushed.",
        "Check that `git push` works in the repository without a question, then try again.",
    ),
    "PULL_REQUEST_FAILED": CatalogueEntry(
        "The pull request could not be opened.",
        "Check `gh auth status`, then push again, or open it in a browser.",
    ),
    "PULL_REQUEST_UNREADABLE": CatalogueEntry(
        "The pull request could not be read.",
        "Check `gh auth status` and the network, then try `swarm-tui pr RUN`.",
    ),
    "SOURCE_NOT_FOUND": CatalogueEntry("The source folder does not exist.", "Check the path."),
    "RUN_NOT_FOUND": CatalogueEntry("No such run.", "List the runs with `swarm-tui ls`."),
    "RUN_AMBIGUOUS": CatalogueEntry(
        "Several runs match.", "Use more characters of the id, or its last four."
    ),
    "RUN_NOT_CANCELLABLE": CatalogueEntry(
        "The run has already ended.", "Nothing needs doing; see `swarm-tui show`."
    ),
    "RUN_NOT_INTERACTIVE": CatalogueEntry(
        "The run's agent cannot be spoken to.",
        "Start a run with --interactive; one that has ended goes on with `swarm-tui resume`.",
    ),
    "REQUEST_NOT_PENDING": CatalogueEntry(
        "The request is not open any more.",
        "List the open requests with `swarm-tui inbox`.",
    ),
    "MESSAGE_NOT_PENDING": CatalogueEntry(
        "The agent has read the message, or there is none with this id.",
        "List the messages that it has not read with `swarm-tui send RUN --list`.",
    ),
    "TRASH_NOT_FOUND": CatalogueEntry(
        "The trash has no such entry.", "List it with `swarm-tui cleanup --empty-trash --dry-run`."
    ),
    "RULE_NOT_FOUND": CatalogueEntry(
        "There is no such rule.", "List the rules with `swarm-tui rules`."
    ),
    "API_TOKEN_NOT_FOUND": CatalogueEntry(
        "There is no such token.", "List the tokens with `swarm-tui api token ls`."
    ),
    "API_TOKEN_INVALID": CatalogueEntry(
        "The token is missing, wrong or revoked.",
        "Create one with `swarm-tui api token create NAME`, and send it in each request: "
        "`Authorization: Bearer TOKEN`.",
    ),
    "API_SCOPE_MISSING": CatalogueEntry(
        "The token does not permit this operation.",
        "Create a token with another --scope: `read`, `run` or `admin`.",
    ),
    "API_REQUEST_REFUSED": CatalogueEntry(
        "The request is for another host, or from a web page.",
        "Use the address that `swarm-tui api` prints; other names of this machine belong in "
        "`api.names` of the settings.",
    ),
    "API_LIMIT_REACHED": CatalogueEntry(
        "Too many requests or streams.",
        "Wait as long as `Retry-After` states, or raise the limit in `api` of the settings.",
    ),
    "IDEMPOTENCY_KEY_REUSED": CatalogueEntry(
        "The key belongs to another request.",
        "Send the same request again, or use another `Idempotency-Key`.",
    ),
    "API_MISSING": CatalogueEntry(
        "The parts that serve the API are not installed.",
        "Install this package with its `api` extra, for example `pipx install '.[api]'`.",
    ),
    "API_TLS_NEEDED": CatalogueEntry(
        "An address that others can reach needs TLS.",
        "Add --certificate and --key, or listen on 127.0.0.1 and forward the port with `ssh -L`.",
    ),
    "API_CERTIFICATE_INVALID": CatalogueEntry(
        "The certificate and its key cannot be used.",
        "Name PEM files that belong together, with a key that has no password.",
    ),
    "API_ADDRESS_UNAVAILABLE": CatalogueEntry(
        "The API cannot listen at this address.", "Choose another with --host or --socket."
    ),
    "API_TOKEN_EXISTS": CatalogueEntry(
        "There is a token of this name already.",
        "Choose another name, or revoke it first with `swarm-tui api token revoke NAME`.",
    ),
    "HOME_UNSAFE": CatalogueEntry(
        "The agent's commands can write to the home.",
        "Name a folder in SWARM_HOME that is neither below the temporary folder nor in a "
        "workspace, or run without --interactive.",
    ),
    "COMMENT_CHANGED": CatalogueEntry(
        "The comment was changed meanwhile.", "Save again to replace its text."
    ),
    "COMMENT_NOT_FOUND": CatalogueEntry(
        "No such comment.", "List them with `swarm-tui comments RUN`."
    ),
    "RUN_NOT_ENDED": CatalogueEntry(
        "The run has not ended.",
        "Wait for its end with `swarm-tui wait`, or end it with `swarm-tui cancel`.",
    ),
    "CHILDREN_LIMIT": CatalogueEntry(
        "The run may not start more runs.",
        "Do the rest of the work in the run itself, or raise `children.depth` or `children.runs` "
        "in the settings.",
    ),
    "PARENT_ENDED": CatalogueEntry(
        "The run that would be the parent has ended, or is being cancelled.",
        "Start the run without a parent, or resume the parent first.",
    ),
    "RUN_NEEDED": CatalogueEntry(
        "Another run needs this one.", "Wait for the end of that run, or cancel it."
    ),
    "RUN_NOT_QUEUED": CatalogueEntry(
        "The run is not queued.",
        "Start a run that has ended again: `swarm-tui retry RUN --ignore-pace`.",
    ),
    "RUN_NOT_RETRYABLE": CatalogueEntry(
        "The run has not ended yet.", "Wait for it, or cancel it first."
    ),
    "RUN_STALLED": CatalogueEntry(
        "The run showed no sign of life for too long.",
        "Read its log, then retry: it goes on from its last good checkpoint.",
    ),
    "RUN_TIMED_OUT": CatalogueEntry(
        "The run reached its time limit.",
        "Retry: the run goes on in its thread, and its time limit begins again; only a new run "
        "takes a longer one: `swarm-tui run --from-run RUN --timeout TIME`.",
    ),
    "RUN_INTERRUPTED": CatalogueEntry(
        "The agent's process vanished without a result.",
        "Retry: the run goes on from its last good checkpoint.",
    ),
    "BUDGET_EXCEEDED": CatalogueEntry(
        "The run used up its budget.",
        "Continue in a new run with a budget of its own: "
        "`swarm-tui run --from-run RUN --budget AMOUNT`.",
        is_final=True,
    ),
    "PRICE_UNKNOWN": CatalogueEntry(
        "The model has no known price, so that a budget in money cannot be checked.",
        "Set its price in `prices` of the settings, or a budget in tokens or percent: "
        "`--budget 500k`, `--budget 10%`.",
    ),
    "VERIFY_FAILED": CatalogueEntry(
        "The verify command failed.",
        "Read its output with `swarm-tui logs --verify`, then retry: the agent gets the output.",
        is_resumable=True,
        has_detail=True,
    ),
    "AGENT_CRASHED": CatalogueEntry(
        "The agent ended without a result.",
        "Read the end of its stderr with `swarm-tui logs --stderr`, then retry.",
        has_stderr=True,
        has_detail=True,
    ),
    "BATCH_NOT_FOUND": CatalogueEntry("No such batch.", "List them with `swarm-tui batch ls`."),
    "BATCH_INVALID": CatalogueEntry(
        "The batch cannot be started as it is: nothing was started.",
        "Fix the place named, then try again; --dry-run only checks.",
    ),
    "TEMPLATE_NOT_FOUND": CatalogueEntry(
        "No such template.", "List them with `swarm-tui templates`."
    ),
    "TEMPLATE_INVALID": CatalogueEntry(
        "The template cannot be used.", "Fix it; `swarm-tui templates check` names the line."
    ),
    "TEMPLATE_NOT_TRUSTED": CatalogueEntry(
        "The repository has a template of its own that you have not trusted.",
        "Read it in .swarm/templates; if you trust it, start the run with --trust.",
    ),
    "TEMPLATE_PARAM_MISSING": CatalogueEntry(
        "The template needs a parameter.", "Set it with -p KEY=VALUE."
    ),
    "PATTERN_NOT_FOUND": CatalogueEntry("No such pattern.", "List them with `swarm-tui patterns`."),
    "PATTERN_INVALID": CatalogueEntry(
        "This is not a valid pattern.",
        "Fix the line named; `swarm-tui patterns export` shows the form.",
    ),
    "CONFIG_INVALID": CatalogueEntry(
        "The settings cannot be used.", "Fix the line named, or remove it for the default."
    ),
    "NOT_SUPERVISED": CatalogueEntry(
        "No process supervises the runs of this home, and none can be started.",
        "Run `swarm-tui supervise` to see why; `swarm-tui doctor` shows who supervises.",
    ),
    "SANDBOX_UNUSABLE": CatalogueEntry(
        "No command of the agent could start: its sandbox does not work here.",
        "Run `swarm-tui doctor`; allow user namespaces, or use the sandbox danger-full-access.",
    ),
    "DISK_FULL": CatalogueEntry(
        "The disk is full.",
        "Free some space, for example with `swarm-tui cleanup`.",
        stops_store=True,
        condition=Condition.DISK,
    ),
    "DISK_READ_ONLY": CatalogueEntry(
        "The file system can only be read.", "Mount it so that it can be written, then try again."
    ),
    "FILE_NOT_PERMITTED": CatalogueEntry(
        "The system refuses access to a file or folder.",
        "Check its owner, its permissions and whether it is immutable, then try again.",
    ),
    "DATABASE_LOCKED": CatalogueEntry(
        "Another program keeps the database locked.",
        "Close the program that holds swarm.db open, then try again.",
        stops_store=True,
        is_of_database=True,
        condition=Condition.DATABASE,
    ),
    "DATABASE_CORRUPT": CatalogueEntry(
        "The database is damaged.",
        "Run `swarm-tui doctor --recover`: it rebuilds the runs from their folders.",
        stops_store=True,
        is_of_database=True,
        is_damage=True,
        is_recoverable=True,
    ),
    "DATABASE_MISSING": CatalogueEntry(
        "The database is missing, but this home has runs.",
        "Put it back, or run `swarm-tui doctor --recover`: it rebuilds the runs from their "
        "folders.",
        stops_store=True,
        is_of_database=True,
        is_damage=True,
        is_recoverable=True,
    ),
    "HOME_REMOVED": CatalogueEntry(
        "The home was removed.",
        "Name another folder in SWARM_HOME, or start again.",
        loses_home=True,
    ),
    "HOME_MOVED": CatalogueEntry(
        "The home is no longer where it was.",
        "Move it back, then start swarm-tui again; the agents go on meanwhile.",
        loses_home=True,
    ),
    "DATABASE_UNUSABLE": CatalogueEntry(
        "The database cannot be used.",
        "Check that its folder exists and that you may write there.",
        stops_store=True,
        is_of_database=True,
        is_recoverable=True,
    ),
    "DATABASE_NEWER": CatalogueEntry(
        "The database was written by a newer swarm-tui.",
        "Update swarm-tui.",
        is_of_database=True,
    ),
    "WEBHOOK_FAILED": CatalogueEntry(
        "A webhook could not be delivered.", "Check its address with `swarm-tui webhooks test`."
    ),
    "WEBHOOK_NOT_FOUND": CatalogueEntry(
        "There is no such receiver.", "List them with `swarm-tui webhooks`."
    ),
    "NOTIFY_MISSING": CatalogueEntry(
        "What sends to Apprise addresses is not installed.",
        "Install this package with its `notify` extra, for example `pipx install '.[notify]'`.",
    ),
    "NOT_A_TERMINAL": CatalogueEntry(
        "The dashboard needs a terminal.",
        "Start it in a terminal, or use the line commands: `swarm-tui --help`.",
    ),
    "SERVE_MISSING": CatalogueEntry(
        "What shows the dashboard in a browser is not installed.",
        "Install this package with its `serve` extra, for example `pipx install '.[serve]'`.",
    ),
    "MCP_MISSING": CatalogueEntry(
        "The MCP server is not installed.",
        "Install this package with its `mcp` extra, for example `pipx install '.[mcp]'`.",
    ),
    "RUN_NOT_YOURS": CatalogueEntry(
        "An agent may change only runs that it has started.",
        "Start a run of your own, or ask the user to do it.",
    ),
    "RIGHTS_EXCEEDED": CatalogueEntry(
        "The request asks for more rights than its sender has.",
        "Leave that part out, or ask the user to start the run.",
    ),
    "PORT_UNAVAILABLE": CatalogueEntry(
        "The port cannot be used.", "Choose another with --port; 0 takes any that is free."
    ),
    "EDITOR_MISSING": CatalogueEntry(
        "No editor was found.", "Set EDITOR to the one you use, for example `export EDITOR=nano`."
    ),
    "INPUT_INVALID": CatalogueEntry("This input cannot be used.", "Correct it and try again."),
    "INTERNAL": CatalogueEntry(
        "Something went wrong inside swarm-tui.",
        "Please report it with the log file named.",
        has_detail=True,
    ),
}


UNKNOWN = CatalogueEntry("", "")
"""The entry of a code that only a newer version knows."""


_late: list[Callable[[], object]] = []


def add_late(load: Callable[[], object]) -> None:
    """Call `load`, which adds entries, when a code is not known yet: few commands need them."""
    _late.append(load)


def entry_of(code: str) -> CatalogueEntry:
    """Return the entry of a code."""
    _load_late(code)
    return CATALOGUE.get(code, UNKNOWN)


def _load_late(code: str) -> None:
    if code not in CATALOGUE:
        for load in _late:
            load()


class UserError(Exception):
    """An error that the user can fix: the problem, the fix, a stable code."""

    is_reported = False
    """True if a program of the run reported it, which has ended: it is too late to wait."""

    def __init__(self, message: str, recovery: str, code: str, docs_url: str) -> None:
        # What git, an agent or a proxy complained about may be an address with a password in it.
        message = hide(message)
        super().__init__(message)
        self.message = message
        self.recovery = recovery
        self.code = code
        self.docs_url = docs_url

    @property
    def entry(self) -> CatalogueEntry:
        """The catalogue's entry of its code."""
        return entry_of(self.code)

    @property
    def info(self) -> ErrorInfo:
        """The error as data."""
        return ErrorInfo(self.code, self.message, self.recovery, self.docs_url)


def user_error(code: str, message: str = "", recovery: str = "") -> UserError:
    """Return the catalogue's error for `code`, with a more precise `message` or `recovery`."""
    _load_late(code)
    entry = CATALOGUE[code]
    docs_url = f"{DOCS}#{code.lower()}"
    return UserError(message or entry.message, recovery or entry.recovery, code, docs_url)


def is_known(code: str) -> bool:
    """Return whether the catalogue has an error of this code."""
    _load_late(code)
    return code in CATALOGUE


def reported(code: str) -> UserError:
    """Return the catalogue's error for what a program of the run met, and ended."""
    error = user_error(code)
    error.is_reported = True
    return error


def os_failure(error: OSError) -> UserError:
    """Return the error for a failed system call."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        name = f"{error.filename} cannot be written: " if error.filename else ""
        return user_error("DISK_FULL", name and f"{name}the disk or your quota on it is full.")
    if error.errno == errno.EFBIG:
        name = f"{error.filename} cannot be written: " if error.filename else ""
        message = f"{name}it would be larger than files may be here."
        return user_error("INTERNAL", message[0].upper() + message[1:], "Check `ulimit -f`.")
    if error.errno == errno.EROFS:
        name = f"{error.filename} cannot be written" if error.filename else ""
        return user_error("DISK_READ_ONLY", name and f"{name}: the file system is read-only.")
    if error.errno in (errno.EACCES, errno.EPERM):
        name = f"{error.filename}: " if error.filename else ""
        return user_error("FILE_NOT_PERMITTED", f"{name}{error.strerror}.")
    if error.errno == errno.ENAMETOOLONG:
        return user_error("INPUT_INVALID", "The path is too long for the file system.")
    return user_error("INTERNAL", f"The system refused: {error}.", "Check the file it names.")
