// What each JavaScript client can do with a gateway, told as JSON lines; see python_clients.py.
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, embed, generateObject, generateText, stepCountIs, streamText, tool } from "ai";
import OpenAI from "openai";
import { z } from "zod";

const [address, key, spent] = process.argv.slice(2);
const answer = "Hello from the fake provider";
const pixel = "data:image/png;base64,eA==";
const messages = [{ role: "user", content: "Hello?" }];
const look = { type: "object", properties: { number: { type: "integer" } }, required: ["number"] };

async function tell(client, feature, work) {
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

async function all(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return pieces;
}

async function openaiNode() {
  const name = "openai-node";
  const client = new OpenAI({ baseURL: address, apiKey: key });
  const chat = (body) => client.chat.completions.create({ model: "good", messages, ...body });
  await tell(name, "models", async () => (await all(client.models.list())).some((model) => model.id === "good"));
  await tell(name, "chat", async () => (await chat({})).choices[0].message.content === answer);
  await tell(name, "stream", async () => {
    const chunks = await all(await chat({ stream: true, stream_options: { include_usage: true } }));
    const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
    return text === answer && chunks.at(-1).usage.total_tokens === 12;
  });
  await tell(name, "tools", async () => {
    const tools = [{ type: "function", function: { name: "look_up", parameters: look } }];
    const asked = await chat({ model: "scholar", messages: [{ role: "user", content: "Please look_up 42" }], tools });
    return JSON.parse(asked.choices[0].message.tool_calls[0].function.arguments).number === 42;
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
  await tell(name, "errors", async () => {
    const cases = [
      [key, "no-such-model", OpenAI.NotFoundError, "model_not_found"],
      ["cak_wrong", "good", OpenAI.AuthenticationError, "invalid_api_key"],
      [key, "error-400", OpenAI.BadRequestError, "invalid_request"],
      [spent, "good", OpenAI.RateLimitError, "insufficient_quota"],
    ];
    for (const [apiKey, model, kind, code] of cases) {
      const other = new OpenAI({ baseURL: address, apiKey });
      const error = await caught(() => other.chat.completions.create({ model, messages }));
      if (!(error instanceof kind) || error.code !== code || !error.requestID) throw error ?? new Error(model);
    }
    return true;
  });
}

async function vercel() {
  const name = "Vercel AI SDK";
  const campus = createOpenAICompatible({ name: "campus", baseURL: address, apiKey: key, supportsStructuredOutputs: true });
  const poor = createOpenAICompatible({ name: "campus", baseURL: address, apiKey: spent });
  const openai = createOpenAI({ baseURL: address, apiKey: key });
  await tell(name, "chat", async () => (await generateText({ model: campus("good"), prompt: "Hello?" })).text === answer);
  await tell(name, "stream", async () => {
    const stream = streamText({ model: campus("good"), prompt: "Hello?" });
    return (await all(stream.textStream)).join("") === answer;
  });
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
    const error = await caught(() => generateText({ model: poor("good"), prompt: "Hello?", maxRetries: 0 }));
    return APICallError.isInstance(error) && error.statusCode === 429 && Boolean(error.responseHeaders["x-request-id"]);
  });
}

await tell("openaiNode", "runs", async () => (await openaiNode(), true));
await tell("vercel", "runs", async () => (await vercel(), true));
