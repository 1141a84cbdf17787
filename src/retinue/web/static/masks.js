// Masks as COCO writes them: run lengths down the columns, packed five bits to a character.

/** The lengths: nothing, something, nothing … */
export function lengthsOf(counts) {
  const lengths = [];
  let value = 0;
  let shift = 0;
  for (let at = 0; at < counts.length; at++) {
    const bits = counts.charCodeAt(at) - 48;
    value |= (bits & 0x1f) << shift;
    shift += 5;
    if (bits & 0x20) continue;
    if (bits & 0x10) value -= 1 << shift;
    lengths.push(value + (lengths.length > 2 ? lengths.at(-2) : 0));
    value = shift = 0;
  }
  return lengths;
}

/** A canvas of the mask in one colour, cropped to its box: [canvas, x, y]. */
export function maskCanvas({ size: [rows], counts }, box, colour) {
  const left = Math.floor(box[0]);
  const top = Math.floor(box[1]);
  const width = Math.max(1, Math.ceil(box[0] + box[2]) - left);
  const height = Math.max(1, Math.ceil(box[1] + box[3]) - top);
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(width, height);
  const words = new Uint32Array(pixels.data.buffer);
  let place = 0;
  lengthsOf(counts).forEach((length, number) => {
    if (number % 2 === 1) {
      for (let at = place; at < place + length; at++) {
        const x = Math.floor(at / rows) - left;
        const y = (at % rows) - top;
        if (x >= 0 && x < width && y >= 0 && y < height) words[y * width + x] = colour;
      }
    }
    place += length;
  });
  context.putImageData(pixels, 0, 0);
  return { canvas, left, top };
}
