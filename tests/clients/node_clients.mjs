// What each JavaScript client can do with a gateway, told as JSON lines; see python_clients.py.
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, RetryError, embed, generateObject, generateText, stepCountIs, streamText, tool } from "ai";
import OpenAI, { toFile } from "openai";
import { z } from "zod";

const [address, key, model] = process.argv.slice(2);
const refusals = JSON.parse(process.argv[5]);
const answer = "Hello from the fake provider";
const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABAQAAAAA3bvkkAAAACklEQVR42mNgAAAAAgAB5Sfe/AAAAABJRU5ErkJggg==";
const pixel = `data:image/png;base64,${png}`;
const messages = [{ role: "user", content: "Hello?" }];
const look = { type: "object", properties: { number: { type: "integer" } }, required: ["number"] };

const ofWords = ["models", "chat", "stream", "runs"];
const few = 4; // tokens

const isAnswer = (text) => (model === "good" ? text === answer : text.trim().length > 0);

async function tell(client, feature, work) {
  if (model !== "good" && !ofWords.includes(feature)) return;
  let why = "";
  try {
    if (!(await work())) why = "not as expected";
  } catch (error) {
    why = String(error?.stack ?? error);
  }
  console.log(JSON.stringify([client, feature, why]));
}

async function caught(work) {
  try {
    await work();
  } catch (error) {
    return error;
  }
  return undefined;
}

// What passes is worth a retry, which takes time; refusals are met as each client comes.
const once = (status) => (status >= 500 ? { maxRetries: 0 } : {});

async function all(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return pieces;
}

async function openaiNode() {
  const name = "openai-node";
  const client = new OpenAI({ baseURL: address, apiKey: key });
  const chat = (body) => client.chat.completions.create({ model, messages, ...body });
  await tell(name, "models", async () => (await all(client.models.list())).some(({ id }) => id === model));
  await tell(name, "chat", async () => isAnswer((await chat({ max_tokens: few })).choices[0].message.content));
  await tell(name, "stream", async () => {
    const chunks = await all(await chat({ max_tokens: few, stream: true, stream_options: { include_usage: true } }));
    const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
    return isAnswer(text) && (chunks.at(-1).usage.total_tokens === 12 || model !== "good");
  });
  await tell(name, "tools", async () => {
    const tools = [{ type: "function", function: { name: "look_up", parameters: look } }];
    const question = [{ role: "user", content: "Please look_up 42" }];
    const { message } = (await chat({ model: "scholar", messages: question, tools })).choices[0];
    const [call] = message.tool_calls;
    const told = { role: "tool", tool_call_id: call.id, content: "It is the answer" };
    const final = await chat({ model: "scholar", messages: [...question, message, told], tools });
    return JSON.parse(call.function.arguments).number === 42 && final.choices[0].message.content.includes("the answer");
  });
  await tell(name, "schema", async () => {
    const wanted = { type: "json_schema", json_schema: { name: "look", schema: look, strict: true } };
    const said = await chat({ model: "scholar", messages: [{ role: "user", content: "42" }], response_format: wanted });
    return JSON.parse(said.choices[0].message.content).number === 42;
  });
  await tell(name, "pictures", async () => {
    const content = [{ type: "text", text: "What?" }, { type: "image_url", image_url: { url: pixel } }];
    return (await chat({ messages: [{ role: "user", content }] })).choices.length === 1;
  });
  await tell(name, "responses", async () => {
    const events = await all(await client.responses.create({ model: "good", input: "Hello?", stream: true }));
    const whole = await client.responses.create({ model: "good", input: "Hello?" });
    return events.at(-1).type === "response.completed" && whole.output_text === answer;
  });
  await tell(name, "embeddings", async () => {
    const made = await client.embeddings.create({ model: "embed-good", input: "x" });
    return made.data[0].embedding.length === 3;
  });
  await tell(name, "images", async () => {
    const made = await client.images.generate({ model: "image-good", prompt: "x" });
    return made.data[0].b64_json.length > 0;
  });
  await tell(name, "edits", async () => {
    const image = await toFile(Buffer.from(png, "base64"), "x.png", { type: "image/png" });
    const made = await client.images.edit({ model: "image-edits", image, prompt: "x" });
    return made.data[0].b64_json.length > 0;
  });
  await tell(name, "moderations", async () => (await client.moderations.create({ input: "a bomb" })).results[0].flagged);
  await tell(name, "errors", async () => {
    for (const [apiKey, model, kind, status, code] of refusals) {
      const other = new OpenAI({ baseURL: address, apiKey, ...once(status) });
      const error = await caught(() => other.chat.completions.create({ model, messages }));
      const isIts = error instanceof OpenAI[kind] && error.status === status && error.code === code;
      if (!isIts || !error.requestID) throw error ?? new Error(code);
    }
    return true;
  });
}

async function vercel() {
  const name = "Vercel AI SDK";
  const campus = createOpenAICompatible({ name: "campus", baseURL: address, apiKey: key, supportsStructuredOutputs: true });
  const openai = createOpenAI({ baseURL: address, apiKey: key });
  const asked = { model: campus(model), prompt: "Hello?", maxOutputTokens: few };
  await tell(name, "chat", async () => isAnswer((await generateText(asked)).text));
  await tell(name, "stream", async () => isAnswer((await all(streamText(asked).textStream)).join("")));
  await tell(name, "tools", async () => {
    const tools = {
      look_up: tool({
        description: "Look a number up",
        inputSchema: z.object({ number: z.number().int() }),
        execute: async ({ number }) => `${number} is the answer`,
      }),
    };
    const said = await generateText({ model: campus("scholar"), prompt: "Please look_up 42", tools, stopWhen: stepCountIs(3) });
    return said.text.includes("42 is the answer");
  });
  await tell(name, "schema", async () => {
    const made = await generateObject({ model: campus("scholar"), prompt: "42", schema: z.object({ number: z.number().int() }) });
    return made.object.number === 42;
  });
  await tell(name, "pictures", async () => {
    const content = [{ type: "text", text: "What?" }, { type: "image", image: pixel }];
    return (await generateText({ model: campus("good"), messages: [{ role: "user", content }] })).text === answer;
  });
  await tell(name, "responses", async () => {
    const whole = await generateText({ model: openai.responses("good"), prompt: "Hello?" });
    const stream = streamText({ model: openai.responses("good"), prompt: "Hello?" });
    return whole.text === answer && (await all(stream.textStream)).join("") === answer;
  });
  await tell(name, "embeddings", async () => {
    const made = await embed({ model: campus.textEmbeddingModel("embed-good"), value: "x" });
    return made.embedding.length === 3;
  });
  await tell(name, "errors", async () => {
    const refuse = async ([apiKey, model, , status, code]) => {
      const other = createOpenAICompatible({ name: "campus", baseURL: address, apiKey });
      const met = await caught(() => generateText({ model: other(model), prompt: "Hello?", ...once(status) }));
      const error = RetryError.isInstance(met) ? met.lastError : met;
      const isIts = APICallError.isInstance(error) && error.statusCode === status && error.data.error.code === code;
      if (!isIts || !error.responseHeaders["x-request-id"]) throw met ?? new Error(code);
    };
    await Promise.all(refusals.map(refuse)); // at once, for this client waits between the three times it asks
    return true;
  });
}

await Promise.all([openaiNode, vercel].map((client) => tell(client.name, "runs", async () => (await client(), true))));
