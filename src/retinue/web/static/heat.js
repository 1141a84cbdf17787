// Where the model looked, laid over the picture, and what the colours of it say.
import { find } from "./dom.js";

/** Shown at once; of an answer without a map, what the one before had is put away. */
export async function showHeat(viewer, answer, ramp = "inferno") {
  const button = find("#heat");
  const legend = find("#heat-legend");
  button.hidden = legend.hidden = !answer.heatmap_url;
  if (!answer.heatmap_url) return;
  const plain = viewer.picture;
  const heated = await createImageBitmap(await (await fetch(answer.heatmap_url)).blob());
  legend.dataset.ramp = ramp;
  const press = (on) => {
    button.setAttribute("aria-pressed", String(on));
    legend.hidden = !on;
    viewer.picture = on ? heated : plain;
    viewer.paint();
  };
  button.onclick = () => press(button.getAttribute("aria-pressed") !== "true");
  press(true);
}
