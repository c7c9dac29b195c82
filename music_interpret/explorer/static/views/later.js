// Parts of a page that are drawn when they come near the window.

const MARGIN = "500px";

export class Later {
  /** @param {number} atOnce so many are drawn as soon as they are in the page, since a watcher takes a frame to tell. */
  constructor(atOnce = 0) {
    this.atOnce = atOnce;
    /** @type {Map<Element, () => void>} */
    this.waiting = new Map();
    this.watcher = new IntersectionObserver(
      (entries) => {
        for (const { isIntersecting, target } of entries) if (isIntersecting) this.draw(target);
      },
      { rootMargin: MARGIN },
    );
  }

  /** Call `draw` when `place` comes near. @param {Element} place @param {() => void} draw */
  add(place, draw) {
    this.waiting.set(place, draw);
    if (this.atOnce-- > 0) queueMicrotask(() => this.draw(place));
    else this.watcher.observe(place);
  }

  /** @param {Element} place */
  draw(place) {
    const draw = this.waiting.get(place);
    this.waiting.delete(place);
    this.watcher.unobserve(place);
    draw?.();
  }

  /** Draw what is left, as before printing. */
  drawAll() {
    for (const place of [...this.waiting.keys()]) this.draw(place);
  }

  stop() {
    this.waiting.clear();
    this.watcher.disconnect();
  }
}
