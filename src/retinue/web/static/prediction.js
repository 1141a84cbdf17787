// One prediction, looked at again: the same view as when it was made.
import { AnswerView } from "./answer.js";
import { find, told } from "./dom.js";
import { showHeat } from "./heat.js";
import "./forms.js";
import { complain } from "./shell.js";
import { bitmapOf } from "./stage.js";
import { compare } from "./comparing.js";
import { judging } from "./verdict.js";

const answer = told("answer");
const view = new AnswerView();
const parameters = Object.fromEntries(Object.entries(answer.parameters).filter(([, value]) => typeof value !== "object" && value !== false));
view.show(answer, { filename: answer.filename, parameters: { model: answer.model, version: answer.model_version, ...parameters } });
judging(() => answer)(told("verdict"));

async function showPicture() {
  const { bitmap, width, height } = await bitmapOf(answer.image_id, answer.image_url);
  find("#stage-empty").hidden = true;
  find("#file-name").textContent = `${answer.filename}, ${width} × ${height}`;
  view.viewer.show(bitmap, width, height);
  await showHeat(view.viewer, answer, answer.parameters.explain?.ramp);
  if (answer.output_url) compare(view.viewer, await createImageBitmap(await (await fetch(answer.output_url)).blob()));
}

showPicture().catch(complain);
