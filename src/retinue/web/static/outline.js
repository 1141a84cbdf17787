// The outline of a picture: its strong edges as bright lines with a dark casing, so that they show over any other picture.
const SIDE = 480; // of the outline's own pixels: finer ones would draw the grain of the bench
const SHARE = 0.08; // of all pixels at most: more lines would hide what lies under them
const WEAKEST = 60; // a step of light that is no edge, be there ever so few others
const LINE = [240, 228, 66, 255]; // the yellow of the overlay set
const CASING = [10, 12, 14, 150];

/** A canvas of the picture's own shape; rejects where the browser cannot show the picture. */
export async function outlineOf(address) {
  const picture = new Image();
  picture.src = address;
  await picture.decode();
  const shrink = Math.min(1, SIDE / Math.max(picture.naturalWidth, picture.naturalHeight));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(3, Math.round(picture.naturalWidth * shrink));
  canvas.height = Math.max(3, Math.round(picture.naturalHeight * shrink));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  draw(pixels, edgesOf(pixels));
  context.putImageData(pixels, 0, 0);
  return canvas;
}

/** One byte a pixel: 1 where light changes most. */
function edgesOf({ data, width, height }) {
  const light = new Float32Array(width * height);
  for (let at = 0; at < light.length; at++) light[at] = 0.3 * data[4 * at] + 0.59 * data[4 * at + 1] + 0.11 * data[4 * at + 2];
  const steps = new Uint16Array(width * height);
  const counts = new Uint32Array(2048);
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1; x < width - 1; x++) {
      const at = y * width + x;
      const [a, b, c] = [light[at - width - 1], light[at - width], light[at - width + 1]];
      const [g, h, i] = [light[at + width - 1], light[at + width], light[at + width + 1]];
      const across = c + 2 * light[at + 1] + i - a - 2 * light[at - 1] - g;
      const down = g + 2 * h + i - a - 2 * b - c;
      steps[at] = Math.hypot(across, down);
      counts[steps[at]] += 1;
    }
  }
  let [floor, more] = [counts.length - 1, 0];
  while (floor > WEAKEST && (more += counts[floor]) < SHARE * steps.length) floor -= 1;
  return Uint8Array.from(steps, (step) => (step > floor ? 1 : 0));
}

function draw({ data, width }, edges) {
  const near = [-width - 1, -width, -width + 1, -1, 1, width - 1, width, width + 1];
  for (let at = 0; at < edges.length; at++) {
    const colour = edges[at] ? LINE : near.some((step) => edges[at + step]) ? CASING : [0, 0, 0, 0];
    data.set(colour, 4 * at);
  }
}
