// OpenAI's Node SDK against a provider of each protocol: chats and responses.
import assert from "node:assert/strict";
import { test } from "node:test";
import { OpenAI, answerSchema, apiKey, baseURL, citySchema, picture, rounds, script, targets, told, weather } from "./talk.mjs";

const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const user = (content) => [{ role: "user", content }];
const tools = [{ type: "function", function: { name: "get_weather", parameters: citySchema } }];

for (const target of targets) {
  const model = `${target}-chat`;

  for (const stream of [false, true]) {
    // The stream helper of the SDK joins the pieces.
    const ask = async (body) => (stream ? client.chat.completions.stream(body).finalChatCompletion() : client.chat.completions.create(body));

    test(`chat, ${target}, stream ${stream}: rounds of tools`, async () => {
      const messages = user(rounds);
      for (;;) {
        const { message, finish_reason } = (await ask({ model, messages, tools })).choices[0];
        if (finish_reason === "stop") return assert.equal(message.content, told);
        assert.equal(finish_reason, "tool_calls");
        const { parsed, ...sent } = message; // the helper adds it to what came
        messages.push(sent);
        for (const call of message.tool_calls) messages.push({ role: "tool", tool_call_id: call.id, content: weather(JSON.parse(call.function.arguments)) });
      }
    });

    test(`chat, ${target}, stream ${stream}: a schema, a picture`, async () => {
      const response_format = { type: "json_schema", json_schema: { name: "weather", schema: answerSchema, strict: true } };
      const got = await ask({ model, messages: user(script('say {"city":"$schema","degrees":21}')), response_format });
      assert.deepEqual(JSON.parse(got.choices[0].message.content), { city: "city,degrees", degrees: 21 });
      const image_url = { url: "data:image/png;base64," + picture };
      const seen = await ask({ model, messages: user([{ type: "text", text: script("say $images") }, { type: "image_url", image_url }]) });
      assert.equal(seen.choices[0].message.content, "image/png");
    });
  }

  test(`responses, ${target}: rounds of tools, streamed`, async () => {
    const input = user(rounds);
    for (;;) {
      const stream = client.responses.stream({ model, input, store: false, include: ["reasoning.encrypted_content"],
        tools: [{ type: "function", name: "get_weather", parameters: citySchema, strict: true }] });
      const got = await stream.finalResponse();
      const calls = got.output.filter((item) => item.type === "function_call");
      if (calls.length === 0) return assert.equal(got.output_text, told);
      // The helper adds members of its own to what it parsed.
      input.push(...got.output.map(({ parsed_arguments, ...item }) => (item.content ? { ...item, content: item.content.map(({ parsed, ...part }) => part) } : item)));
      for (const call of calls) input.push({ type: "function_call_output", call_id: call.call_id, output: weather(JSON.parse(call.arguments)) });
    }
  });

  test(`responses, ${target}: text, and its tokens`, async () => {
    const got = await client.responses.create({ model, input: script("say Grüße, 世界! $system"), instructions: "Be brief.", store: false });
    assert.equal(got.output_text, "Grüße, 世界! Be brief.");
    assert.deepEqual([got.usage.input_tokens, got.usage.input_tokens_details.cached_tokens, got.usage.output_tokens], [21, 8, 5]);
  });

  test(`${target}: failures are the SDK's own errors`, async () => {
    await assert.rejects(client.chat.completions.create({ model, messages: user(script("fail 400")) }), OpenAI.BadRequestError);
    await assert.rejects(client.chat.completions.create({ model: `${target}-limited-chat-whole`, messages: user(script("fail 429")) }), OpenAI.RateLimitError);
    await assert.rejects(client.responses.create({ model, input: script("fail 500"), store: false }), OpenAI.InternalServerError);
  });

  test(`${target}: a cut stream is an error`, async () => {
    await assert.rejects(client.chat.completions.stream({ model, messages: user(script("say Once upon a time && cut")) }).finalChatCompletion());
    const events = [];
    const stream = await client.responses.create({ model, input: script("say Once upon a time && cut"), store: false, stream: true });
    await assert.rejects(async () => {
      for await (const event of stream) events.push(event.type);
      assert.equal(events.at(-1), "response.completed");
    });
  });
}
