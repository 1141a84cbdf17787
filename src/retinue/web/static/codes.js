// The same question as curl, Python and command line: text that can be pasted as it stands, whatever a file is called.
const forShell = (text) => (/^[\w./:=@,+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
const asFile = (name) => (name.startsWith("-") ? `./${name}` : name);

export function curlFor({ origin, filename, mask, parameters }) {
  // curl itself reads a name in double quotes, so that ; and , are part of it.
  const file = (name) => forShell(`@"${asFile(name).replace(/["\\]/g, "\\$&")}"`);
  const parts = [`file=${file(filename)}`, ...(mask ? [`mask=${file(mask)}`] : [])];
  const fields = Object.entries(parameters).map(([name, value]) => forShell(`${name}=${value}`));
  return [
    `curl -X POST ${origin}/api/v1/predict \\`,
    `  -H "Authorization: Bearer $RETINUE_KEY" \\`,
    `  ${[...parts, ...fields].map((part) => `-F ${part}`).join(" ")}`,
  ].join("\n");
}

export function pythonFor({ origin, filename, parameters }) {
  const asked = new URLSearchParams({ ...parameters, filename }).toString();
  return [
    "import json, os, urllib.request",
    "",
    `picture = open(${JSON.stringify(filename)}, "rb").read()`,
    "ask = urllib.request.Request(",
    `    ${JSON.stringify(`${origin}/api/v1/predict?${asked}`)},`,
    "    data=picture,",
    `    headers={"Authorization": "Bearer " + os.environ["RETINUE_KEY"], "Content-Type": "application/octet-stream"},`,
    ")",
    "answer = json.load(urllib.request.urlopen(ask))",
    `print(answer["predicted_class"], answer["confidence_score"])`,
  ].join("\n");
}

/** `retinue predict` runs built-in models on one's own machine, without the server. */
export function commandFor({ filename, mask, parameters }) {
  const { model, confidence, iou } = parameters;
  const options = { model, mask, confidence, iou };
  const told = Object.entries(options).filter(([, value]) => value !== undefined && value !== null);
  return [`retinue predict ${forShell(asFile(filename))}`, ...told.map(([name, value]) => `--${name} ${forShell(String(value))}`)].join(" ");
}
