// The AI SDK with its providers, which agents in JavaScript stand on: it runs the
// rounds of tools by itself.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ai, answerSchema, apiKey, baseURL, citySchema, createAnthropic, createGoogleGenerativeAI, createOpenAI, root, rounds, script, targets, told, weather } from "./talk.mjs";

const openai = createOpenAI({ baseURL, apiKey });
const anthropic = createAnthropic({ baseURL, apiKey });
const google = createGoogleGenerativeAI({ baseURL: `${root}/v1beta`, apiKey });
const surfaces = { chat: (m) => openai.chat(m), responses: (m) => openai.responses(m), messages: (m) => anthropic(m), generateContent: (m) => google(m) };
const providerOptions = { openai: { store: false } };
// What its Anthropic provider knows of no model by this name: that answers can be held to a schema.
const exactly = { ...providerOptions, anthropic: { structuredOutputMode: "outputFormat" } };
const output = ai.Output.object({ schema: ai.jsonSchema(answerSchema) });
const tools = { get_weather: ai.tool({ description: "tells the weather", inputSchema: ai.jsonSchema(citySchema), execute: async (input) => weather(input) }) };
const stopWhen = ai.isStepCount ? ai.isStepCount(5) : ai.stepCountIs(5);

// Its Google provider wraps the results of tools in an object of its own.
const plain = (text) => text.replace(/\{[^}]*"content":"([^"]*)"[^}]*\}/g, "$1");

for (const [surface, open] of Object.entries(surfaces)) {
  for (const target of targets) {
    const model = open(`${target}-chat`);
    const ask = { model, maxRetries: 0, providerOptions };

    test(`${surface}, ${target}: rounds of tools`, async () => {
      const whole = await ai.generateText({ ...ask, prompt: rounds, tools, stopWhen });
      assert.equal(plain(whole.text), told);
      const streamed = ai.streamText({ ...ask, prompt: rounds, tools, stopWhen });
      let text = "";
      for await (const piece of streamed.textStream) text += piece;
      assert.ok(plain(text).endsWith(told), text);
      assert.equal(await streamed.finishReason, "stop");
    });

    test(`${surface}, ${target}: an object of a schema`, async () => {
      const got = await ai.generateText({ ...ask, providerOptions: exactly, prompt: script('say {"city":"$schema","degrees":21}'), output });
      assert.deepEqual(got.output, { city: "city,degrees", degrees: 21 });
    });

    test(`${surface}, ${target}: failures`, async () => {
      await assert.rejects(ai.generateText({ ...ask, prompt: script("fail 400") }), (err) => ai.APICallError.isInstance(err) && err.statusCode === 400);
    });
  }
}

// Of a model that it does not know, its Anthropic provider wants the answer as a
// call of a tool that it has to call.
for (const target of targets) {
  test(`messages, ${target}: an object as a call`, async () => {
    const prompt = script('call json {"city":"Oslo","degrees":21}');
    const got = await ai.generateText({ model: anthropic(`${target}-chat`), maxRetries: 0, prompt, output });
    assert.deepEqual(got.output, { city: "Oslo", degrees: 21 });
  });
}
