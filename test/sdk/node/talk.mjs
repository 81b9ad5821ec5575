// The SDKs as their documentation shows them, without retries, and what all
// suites say to the scripted providers.
import { createRequire } from "node:module";

const require = createRequire(process.env.SLUICE_TEST_NODE_MODULES + "/");
export const OpenAI = require("openai").default;
export const Anthropic = require("@anthropic-ai/sdk").default;
export const { GoogleGenAI, ApiError } = require("@google/genai");
export const ai = require("ai");
export const { createOpenAI } = require("@ai-sdk/openai");
export const { createAnthropic } = require("@ai-sdk/anthropic");
export const { createGoogleGenerativeAI } = require("@ai-sdk/google");

export const baseURL = process.env.SLUICE_TEST_BASE_URL;
export const root = baseURL.replace(/\/v1$/, "");
export const apiKey = process.env.SLUICE_TEST_KEY;
export const targets = process.env.SLUICE_TEST_TARGETS ? ["openai", "responses", "anthropic", "gemini"] : [];

// script tells a provider what to do, a line per answer; script_test.go says how.
export const script = (...lines) => "Please follow the script\n" + lines.join("\n");

export const picture = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
export const citySchema = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false };
export const answerSchema = {
  type: "object", properties: { city: { type: "string" }, degrees: { type: "integer" } }, required: ["city", "degrees"], additionalProperties: false,
};
export const rounds = script(
  'say Let me look. && call get_weather {"city":"Oslo"} && call get_weather {"city":"Bern"}',
  'call get_weather {"city":"Rome"}', "say $results");
export const told = "Oslo: 21 degrees | Bern: 21 degrees | Rome: 21 degrees";
export const weather = ({ city }) => `${city}: 21 degrees`;
