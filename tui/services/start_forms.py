"""Forms that start runs and batches, and what was typed into them so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.screens.live import BatchRequested

if TYPE_CHECKING:
    from tui.app import SwarmApp
    from tui.models.batch_draft import BatchDraft
    from tui.models.draft import Draft


class StartForms:
    """Forms of a new run and a new batch; a form that is closed keeps its text."""

    def __init__(self, app: SwarmApp) -> None:
        self._app = app
        self._engine = app.engine
        self.draft: Draft | None = None
        """Text of the form of a new run that was not started yet."""
        self._batch: BatchDraft | None = None
        """The same for the form of a new batch."""

    def new_run(self, template: str | None = None) -> None:
        """Open the form of a new run, with a template if one is named."""
        from tui.screens.new_run import NewRun

        app, draft = self._app, self._drafted()
        if template is not None:
            draft.template = template

        async def started(run_id: str | None) -> None:
            if run_id:
                self.draft = draft.rest()
                await app.action_runs()
                if app.live_screen:
                    app.live_screen.expect(run_id)

        app.push_screen(NewRun(self._engine, draft, app.clock, app.keys), started)

    def _drafted(self) -> Draft:
        if self.draft is None:
            self.draft = self._begin()
        return self.draft

    def _begin(self) -> Draft:
        from tui.models.draft import Draft, FormChoices

        return Draft.begin(self._engine.memory.recall("new-run", FormChoices))

    def new_batch(self) -> None:
        """Open the form of a new batch."""
        from tui.models.batch_draft import BatchDraft
        from tui.screens.new_batch import NewBatch

        app = self._app
        if self._batch is None:
            self._batch = BatchDraft(self._begin())

        def started(batch: str | None) -> None:
            if batch:
                self._batch = None
                app.post_message(BatchRequested(batch))

        app.push_screen(NewBatch(self._engine, self._batch, app.clock), started)
