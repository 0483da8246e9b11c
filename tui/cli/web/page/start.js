// Gets the key of the session, then opens the dashboard with it.
//
// The key is held by pages of this origin only, which a port is part of; a cookie would be sent to
// every port of this address. It comes from the one-time token in the address, from this tab before a
// reload, or from another tab.
"use strict";

const NAME = "swarm-tui";
const ANSWER_MS = 500;
const neighbours = new BroadcastChannel(NAME);
let key = null;

neighbours.onmessage = ({ data }) => {
  if (data === "key?" && key) neighbours.postMessage({ key });
};

// Returns the key that a token is exchanged for, or the key itself where it is valid; else null.
async function exchange(token) {
  if (!token) return null;
  const answer = await fetch("/session", { method: "POST", headers: { "X-Swarm-Tui": token } });
  return answer.ok ? await answer.text() : null;
}

function askNeighbours() {
  return new Promise((resolve) => {
    const asking = new BroadcastChannel(NAME);
    const timer = setTimeout(() => resolve(null), ANSWER_MS);
    asking.onmessage = ({ data }) => {
      if (!data.key) return;
      clearTimeout(timer);
      asking.close();
      resolve(data.key);
    };
    asking.postMessage("key?");
  });
}

async function findKey() {
  const token = location.hash.slice(1);
  history.replaceState(null, "", "/");
  return (
    (await exchange(token)) ||
    (await exchange(sessionStorage.getItem(NAME))) ||
    (await exchange(await askNeighbours()))
  );
}

function openDashboard() {
  const terminal = document.getElementById("terminal");
  terminal.dataset.sessionWebsocketUrl = `ws://${location.host}/ws`;
  // textual-serve opens the socket: it can name an address, and nothing else.
  const Plain = window.WebSocket;
  window.WebSocket = class extends Plain {
    constructor(url) {
      super(url, [NAME, key]);
    }
  };
  // Keys go to the dashboard without a click into it first.
  new MutationObserver((_, watch) => {
    const keys = document.querySelector(".xterm-helper-textarea");
    if (keys) {
      watch.disconnect();
      keys.focus();
    }
  }).observe(document.body, { childList: true, subtree: true });
  const script = document.createElement("script");
  script.src = "/static/js/textual.js";
  script.onload = () => window.onload(new Event("load"));
  document.body.append(script);
}

async function start() {
  document.getElementById("again").onclick = () => location.reload();
  key = await findKey();
  if (!key) {
    document.getElementById("notice").textContent =
      "This address was used, is too old, or has no token. " +
      "Press Enter where `swarm-tui serve` runs: it prints a new one.";
    return;
  }
  sessionStorage.setItem(NAME, key);
  openDashboard();
}

window.addEventListener("hashchange", () => location.reload());
start();
