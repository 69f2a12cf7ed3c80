// Saves each answer when it is given, and looks whether a running task has been ended. Every page works without it.
"use strict";
const form = document.querySelector("form[data-step]");
const saved = document.getElementById("saved");

function values(name) {
  const fields = [...form.elements].filter((each) => each.name === name);
  return fields.filter((each) => each.type === "textarea" || each.checked).map((each) => each.value);
}

async function save(name) {
  const body = new URLSearchParams([["step", form.dataset.step], ["item", name]]);
  for (const value of values(name)) body.append("value", value);
  const reply = await fetch("save", { method: "POST", body, keepalive: true });
  saved.textContent = reply.ok ? "Answer saved" : "Not saved: please press Continue";
}

if (form && form.getAttribute("action") === "next") {
  form.addEventListener("change", (event) => save(event.target.name).catch(() => {
    saved.textContent = "Not saved: please call the researcher";
  }));
}

if (form && form.dataset.wait) {
  let sent = false;
  const watch = setInterval(async () => {
    const reply = await fetch("state");
    const step = await reply.text();
    if (reply.ok && step !== form.dataset.step && !sent) location.reload();
  }, 2000);
  form.addEventListener("submit", () => {
    sent = true; // the page that comes is the answer: a reload beside it would come over the next page
    clearInterval(watch);
  });
}
