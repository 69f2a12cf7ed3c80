// Keeps the page for people as the server draws it. Each event of /live is the whole content of <main>, with every text in it
// escaped already; only what differs is replaced, so that a selection or the focus elsewhere stays. Without this script the
// page is the same, and loads itself anew now and then.
"use strict";

const CONTAINERS = new Set(["MAIN", "SECTION", "TABLE", "TBODY", "TR", "UL"]);

function keyed(nodes) {
  return new Map(nodes.map((each, index) => [each.id || index, each]));
}

function alike(one, other) {
  return one.cloneNode(false).isEqualNode(other.cloneNode(false));
}

function follow(now, next) {
  const there = keyed([...now.children]);
  const wanted = [...keyed([...next.children])].map(([key, each]) => {
    const known = there.get(key);
    if (known === undefined || !alike(known, each)) return each;
    if (known.isEqualNode(each)) return known;
    if (!CONTAINERS.has(known.nodeName)) return each;
    follow(known, each);
    return known;
  });
  const kept = new Set(wanted);
  for (const each of [...now.children]) if (!kept.has(each)) each.remove();
  wanted.forEach((each, index) => {
    if (now.children[index] !== each) now.insertBefore(each, now.children[index] ?? null);
  });
}

const live = new EventSource("/live");
live.onmessage = (event) => {
  const drawn = new DOMParser().parseFromString(`<main>${event.data}</main>`, "text/html");
  follow(document.querySelector("main"), drawn.querySelector("main"));
};
live.onopen = () => { document.body.dataset.live = "yes"; };
live.onerror = () => { document.body.dataset.live = "no"; };
