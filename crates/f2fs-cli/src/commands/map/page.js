const tip = document.createElement("div");
tip.id = "tip";
tip.hidden = true;
document.body.append(tip);
const cells = new Map();
for (const cell of document.querySelectorAll("g.c")) {
  const title = cell.querySelector("title");
  cells.set(cell, title.textContent);
  cell.setAttribute("aria-label", title.textContent);
  title.remove();
}
document.addEventListener("mousemove", (event) => {
  const text = cells.get(event.target.closest("g.c"));
  tip.hidden = text === undefined;
  if (tip.hidden) return;
  tip.textContent = text;
  const { offsetWidth: width, offsetHeight: height } = tip;
  tip.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - width - 8)) + "px";
  tip.style.top = Math.max(4, Math.min(event.clientY + 16, innerHeight - height - 8)) + "px";
});
