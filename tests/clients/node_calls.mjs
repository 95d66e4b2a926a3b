// Makes the calls that come as JSON on the standard input with openai-node, and tells what each met: see test_client_errors.Met.
import { readFileSync } from "node:fs";
import OpenAI from "openai";

const [address] = process.argv.slice(2);
const calls = JSON.parse(readFileSync(0, "utf8"));

async function make({ key, body, operation }) {
  const client = new OpenAI({ baseURL: address, apiKey: key, maxRetries: 0, timeout: 60_000 });
  const resource = { chat: client.chat.completions, image: client.images, response: client.responses }[operation];
  try {
    const answer = await (operation === "image" ? resource.generate(body) : resource.create(body));
    if (body.stream) for await (const _piece of answer);
  } catch (error) {
    const { status = 0, code, requestID = null } = error;
    return [error.constructor.name, status, code ?? "", requestID, String(error)];
  }
  return ["", 200, "", null, ""];
}

console.log(JSON.stringify(await Promise.all(calls.map(make))));
