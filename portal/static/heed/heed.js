// The little that htmx leaves open. Every page works without this file.
"use strict";

// A small update that was answered by another page (a sign-in that ran out) must not land inside a card.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, pathInfo } = event.detail;
  if (!xhr.responseURL) return;
  const answered = new URL(xhr.responseURL).pathname;
  const asked = new URL(pathInfo.requestPath, location.href).pathname;
  if (answered === asked) return;
  event.detail.shouldSwap = false;
  location.assign(xhr.responseURL);
});

// What failed is said aloud, and taken back once something works again.
function tellOfFailure(event) {
  // A page that merely looks again by itself stays quiet; its next look may work.
  if (event.detail.requestConfig && event.detail.requestConfig.verb === "get") return;
  const note = document.getElementById("request-failed");
  if (!note) return;
  note.hidden = false;
  note.scrollIntoView({ block: "nearest" });
}
document.addEventListener("htmx:responseError", tellOfFailure);
document.addEventListener("htmx:sendError", tellOfFailure);
document.addEventListener("htmx:timeout", tellOfFailure);
document.addEventListener("htmx:afterSwap", () => {
  const note = document.getElementById("request-failed");
  if (note) note.hidden = true;
});

// A receipt may be dropped anywhere on its form instead of being picked, and is checked at once.
for (const form of document.querySelectorAll("form[data-drop]")) {
  const mark = (event, over) => {
    event.preventDefault();
    form.classList.toggle("drop--over", over);
  };
  for (const name of ["dragenter", "dragover"]) form.addEventListener(name, (event) => mark(event, true));
  form.addEventListener("dragleave", (event) => mark(event, false));
  form.addEventListener("drop", (event) => {
    mark(event, false);
    if (!event.dataTransfer.files.length) return;
    form.querySelector("input[type=file]").files = event.dataTransfer.files;
    form.requestSubmit();
  });
}
