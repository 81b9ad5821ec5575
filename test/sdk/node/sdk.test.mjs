// Runs the official OpenAI Node SDK, unchanged, against a running Sluice; the
// suite in the parent folder starts the server and runs this with `node --test`.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

const require = createRequire(process.env.SLUICE_TEST_NODE_MODULES + "/");
const OpenAI = require("openai").default;

const baseURL = process.env.SLUICE_TEST_BASE_URL;
const open = (apiKey) => new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const client = open(process.env.SLUICE_TEST_KEY);
const ask = (content) => ({ model: "demo-chat", messages: [{ role: "user", content }] });

test("chat", async () => {
  const got = await client.chat.completions.create(ask("Say hello"));
  assert.ok(got.choices[0].message.content);
  assert.equal(got.choices[0].finish_reason, "stop");
  assert.equal(got.usage.total_tokens, got.usage.prompt_tokens + got.usage.completion_tokens);
  assert.equal(got.model, "demo-chat");
});

test("chat as a stream, with usage", async () => {
  const stream = await client.chat.completions.create({ ...ask("Count to ten"), stream: true, stream_options: { include_usage: true } });
  let text = "", chunks = 0, usage, finish;
  for await (const chunk of stream) {
    chunks++;
    text += chunk.choices[0]?.delta?.content ?? "";
    finish ??= chunk.choices[0]?.finish_reason ?? undefined;
    usage = chunk.usage ?? usage;
  }
  assert.ok(chunks > 2 && text.length > 0);
  assert.equal(finish, "stop");
  assert.ok(usage.total_tokens > 0);
});

test("the SDK's stream helper accumulates", async () => {
  const final = await client.chat.completions.stream(ask("Hi")).finalChatCompletion();
  assert.ok(final.choices[0].message.content);
});

test("a stream can be left early", async () => {
  const stream = await client.chat.completions.create({ ...ask("Count to one hundred"), stream: true });
  for await (const chunk of stream) {
    assert.ok(chunk.id);
    break; // aborts the request
  }
});

const tools = [{ type: "function", function: { name: "get_weather", parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] } } }];

test("tools, whole and streamed", async () => {
  const whole = await client.chat.completions.create({ ...ask("Weather in Paris?"), tools, tool_choice: "required" });
  const streamed = await client.chat.completions.stream({ ...ask("Weather in Paris?"), tools, tool_choice: "required" }).finalChatCompletion();
  for (const got of [whole, streamed]) {
    assert.equal(got.choices[0].finish_reason, "tool_calls");
    const call = got.choices[0].message.tool_calls[0];
    assert.equal(call.function.name, "get_weather");
    JSON.parse(call.function.arguments);
  }
});

test("embeddings, in the SDK's default encoding and as floats", async () => {
  for (const encoding_format of [undefined, "float"]) {
    const got = await client.embeddings.create({ model: "demo-embed", input: ["one", "two"], encoding_format });
    assert.equal(got.data.length, 2);
    assert.ok(got.data[0].embedding.length > 0);
    assert.ok(got.data[0].embedding.every(Number.isFinite));
  }
});

test("completions", async () => {
  const got = await client.completions.create({ model: "demo-chat", prompt: "Once upon a time" });
  assert.ok(got.choices[0].text);
});

test("models", async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.ok(names.includes("demo-chat"));
  assert.equal((await client.models.retrieve("demo-chat")).id, "demo-chat");
});

test("errors become the SDK's own", async () => {
  await assert.rejects(open("slc_live_wrong").chat.completions.create(ask("x")), OpenAI.AuthenticationError);
  await assert.rejects(client.chat.completions.create({ ...ask("x"), model: "no-such-model" }), OpenAI.NotFoundError);
  await assert.rejects(client.models.retrieve("no-such-model"), OpenAI.NotFoundError);
  await assert.rejects(client.chat.completions.create({ model: "demo-chat" }), OpenAI.BadRequestError);
  const limited = open(process.env.SLUICE_TEST_LIMITED_KEY);
  await assert.rejects(async () => {
    for (let i = 0; i < 5; i++) await limited.chat.completions.create(ask("x"));
  }, OpenAI.RateLimitError);
});
