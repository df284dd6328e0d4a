// Draws the number of places.
import { html, render } from "/static/kit.js";

export function draw(root, view, page) {
  render(html`<p>toy of ${view.toy.place || "nothing"}: ${page.format.number(view.toy.places)} places</p>`, root);
}
