// Before and after: the filled picture over its original, up to a line that one can move.
import { find } from "./dom.js";

export function compare(stage, after) {
  const slider = find("#compare");
  find("#compare-row").hidden = false;
  const before = stage.drawOver.bind(stage);
  let hold = false;
  stage.drawOver = (context, place, room) => {
    const { scale, left, top } = place;
    const [width, height] = [stage.size.width * scale, stage.size.height * scale];
    const shown = hold ? 0 : Number(slider.value) / 100;
    context.save();
    context.beginPath();
    context.rect(left, top, width * shown, height);
    context.clip();
    context.drawImage(after, left, top, width, height);
    context.restore();
    if (shown > 0 && shown < 1) {
      context.fillStyle = "#ffffff";
      context.fillRect(left + width * shown - 1, top, 2, height);
    }
    before(context, place, room);
  };
  const holding = (on) => () => {
    hold = on;
    stage.paint();
  };
  slider.oninput = () => stage.paint();
  const button = find("#hold-before");
  for (const kind of ["pointerdown", "keydown"]) button.addEventListener(kind, holding(true));
  for (const kind of ["pointerup", "pointerleave", "keyup", "blur"]) button.addEventListener(kind, holding(false));
  stage.paint();
  return () => {
    stage.drawOver = before;
    find("#compare-row").hidden = true;
    stage.paint();
  };
}
