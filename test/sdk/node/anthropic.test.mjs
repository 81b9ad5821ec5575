// Anthropic's Node SDK against a provider of each protocol.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Anthropic, answerSchema, apiKey, citySchema, picture, root, rounds, script, targets, told, weather } from "./talk.mjs";

const client = new Anthropic({ baseURL: root, apiKey, maxRetries: 0 });
const user = (content) => [{ role: "user", content }];
const tools = [{ name: "get_weather", input_schema: citySchema }];

for (const target of targets) {
  const model = `${target}-chat`;
  const body = (content, more) => ({ model, max_tokens: 8192, messages: user(content), ...more });

  for (const stream of [false, true]) {
    const ask = async (body) => (stream ? client.messages.stream(body).finalMessage() : client.messages.create(body));

    test(`messages, ${target}, stream ${stream}: rounds of tools with thoughts`, async () => {
      const messages = user(rounds);
      for (;;) {
        const got = await ask({ model, max_tokens: 8192, messages, tools, thinking: { type: "enabled", budget_tokens: 2048 } });
        messages.push({ role: "assistant", content: got.content });
        const calls = got.content.filter((block) => block.type === "tool_use");
        assert.equal(got.stop_reason, calls.length ? "tool_use" : "end_turn");
        if (calls.length === 0) return assert.equal(got.content.at(-1).text, told);
        messages.push(...user(calls.map((call) => ({ type: "tool_result", tool_use_id: call.id, content: weather(call.input) }))));
      }
    });

    test(`messages, ${target}, stream ${stream}: text, a schema, a picture`, async () => {
      const got = await ask(body(script("say Grüße, 世界! $system"), { system: [{ type: "text", text: "Be brief.", cache_control: { type: "ephemeral" } }] }));
      assert.equal(got.content[0].text, "Grüße, 世界! Be brief.");
      assert.deepEqual([got.usage.input_tokens, got.usage.cache_read_input_tokens, got.usage.output_tokens], [13, 8, 5]);
      const json = await ask(body(script('say {"city":"$schema","degrees":21}'), { output_config: { format: { type: "json_schema", schema: answerSchema } } }));
      assert.deepEqual(JSON.parse(json.content[0].text), { city: "city,degrees", degrees: 21 });
      const source = { type: "base64", media_type: "image/png", data: picture };
      const seen = await ask(body([{ type: "image", source }, { type: "text", text: script("say $images") }]));
      assert.equal(seen.content[0].text, "image/png");
    });
  }

  test(`${target}: tokens are counted`, async () => {
    assert.equal((await client.messages.countTokens({ model, messages: user(script("say no")) })).input_tokens, 42);
  });

  test(`${target}: failures are the SDK's own errors`, async () => {
    await assert.rejects(client.messages.create(body(script("fail 400"))), Anthropic.BadRequestError);
    await assert.rejects(client.messages.create(body(script("fail 429"), { model: `${target}-limited-messages-whole` })), Anthropic.RateLimitError);
    await assert.rejects(client.messages.create(body(script("fail 500"))), Anthropic.InternalServerError);
    await assert.rejects(client.messages.create(body("", { messages: [] })), Anthropic.BadRequestError);
  });

  test(`${target}: a cut stream is an error`, async () => {
    await assert.rejects(client.messages.stream(body(script("say Once upon a time && cut"))).finalMessage());
  });
}

test("models in Anthropic's form, and its errors", async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.ok(names.includes("demo-chat"));
  await assert.rejects(client.models.retrieve("no-such-model"), Anthropic.NotFoundError);
  const wrong = new Anthropic({ baseURL: root, apiKey: "slc_live_wrong", maxRetries: 0 });
  await assert.rejects(wrong.messages.create({ model: "demo-chat", max_tokens: 9, messages: user("x") }), Anthropic.AuthenticationError);
});
