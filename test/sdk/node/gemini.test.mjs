// Google's Node SDK against a provider of each protocol.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError, GoogleGenAI, answerSchema, apiKey, citySchema, picture, root, rounds, script, targets, told, weather } from "./talk.mjs";

const client = new GoogleGenAI({ apiKey, httpOptions: { baseUrl: root } });
const tools = [{ functionDeclarations: [{ name: "get_weather", description: "tells the weather", parametersJsonSchema: citySchema }] }];
const has = (status) => (err) => err instanceof ApiError && err.status === status;

for (const target of targets) {
  const model = `${target}-chat`;

  test(`chats of the SDK, ${target}: rounds of tools`, async () => {
    const chat = client.chats.create({ model, config: { tools, thinkingConfig: { includeThoughts: true } } });
    let got = await chat.sendMessage({ message: rounds });
    while (got.functionCalls?.length) {
      const message = got.functionCalls.map(({ id, name, args }) => ({ functionResponse: { id, name, response: { output: weather(args) } } }));
      got = await chat.sendMessage({ message });
    }
    assert.equal(got.text, told);
  });

  test(`generateContent, ${target}: text, a schema, a picture, as streams too`, async () => {
    const request = { model, contents: script("say Grüße, 世界! $system"), config: { systemInstruction: "Be brief." } };
    const got = await client.models.generateContent(request);
    assert.equal(got.text, "Grüße, 世界! Be brief.");
    assert.deepEqual([got.usageMetadata.promptTokenCount, got.usageMetadata.cachedContentTokenCount, got.usageMetadata.candidatesTokenCount], [21, 8, 5]);
    let text = "", last;
    for await (const chunk of await client.models.generateContentStream(request)) [text, last] = [text + (chunk.text ?? ""), chunk];
    assert.equal(text, got.text);
    assert.equal(last.candidates[0].finishReason, "STOP");
    const config = { responseMimeType: "application/json", responseJsonSchema: answerSchema };
    const json = await client.models.generateContent({ model, contents: script('say {"city":"$schema","degrees":21}'), config });
    assert.deepEqual(JSON.parse(json.text), { city: "city,degrees", degrees: 21 });
    const contents = [{ inlineData: { mimeType: "image/png", data: picture } }, { text: script("say $images") }];
    assert.equal((await client.models.generateContent({ model, contents })).text, "image/png");
  });

  test(`${target}: tokens are counted`, async () => {
    assert.equal((await client.models.countTokens({ model, contents: script("say no") })).totalTokens, 42);
  });

  test(`${target}: failures are the SDK's own errors`, async () => {
    await assert.rejects(client.models.generateContent({ model, contents: script("fail 400") }), has(400));
    await assert.rejects(client.models.generateContent({ model: `${target}-limited-generateContent-whole`, contents: script("fail 429") }), has(429));
  });

  test(`${target}: a cut stream is an error`, async () => {
    await assert.rejects(async () => {
      for await (const _ of await client.models.generateContentStream({ model, contents: script("say Once upon a time && cut") }));
    });
  });
}

test("embeddings and models in Google's form", async () => {
  for (const model of targets.length ? ["openai-embed", "gemini-embed"] : []) {
    const got = await client.models.embedContent({ model, contents: ["one", "two"] });
    assert.deepEqual(got.embeddings.map((e) => e.values), [[0, 0.5, -0.25], [1, 0.5, -0.25]]);
  }
  const names = [];
  for await (const model of await client.models.list()) names.push(model.name);
  assert.ok(names.includes("models/demo-chat"));
  await assert.rejects(client.models.get({ model: "no-such-model" }), has(404));
});
