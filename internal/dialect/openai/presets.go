package openai

// presets are the dialects of the family, one row each: where the provider is
// and what it makes of the protocol. Adding a provider takes a row here and a
// script in testdata/presets; what a provider's documentation does not promise
// is left out of its row.
var presets = []flavor{
	{name: "openai", base: "https://api.openai.com/v1", quirks: ownQuirks},
	{name: "azure-openai", azure: true, quirks: ownQuirks},
	// A relay that nothing more is known of.
	{name: "openai-compatible", quirks: quirks{
		logprobs: true, cap: "max_tokens", seed: "seed", user: "user", frequency: true, presence: true, many: true,
		choice: true, required: true, named: true, parallel: true, objects: true, schemas: true, strict: true,
		thinking: thinkEffort, selective: true, signs: true, images: true, audio: true, files: true,
	}},
	// https://api-docs.deepseek.com: text only, JSON without schemas, thoughts
	// have to return within a round of tools.
	{name: "deepseek", base: "https://api.deepseek.com/v1", quirks: quirks{
		logprobs: true, cap: "max_tokens", stops: 16, frequency: true, presence: true,
		choice: true, required: true, named: true, objects: true,
		thinking: thinkSwitch, replays: "reasoning_content",
	}},
	// https://help.aliyun.com/zh/model-studio: temperature below 2, tools by
	// name but never "required".
	{name: "qwen", base: "https://dashscope.aliyuncs.com/compatible-mode/v1", quirks: quirks{
		cap: "max_tokens", hottest: 1.99, topK: "top_k", seed: "seed", presence: true, many: true,
		choice: true, named: true, parallel: true, objects: true,
		thinking: thinkFlag, images: true, audio: true, video: true,
	}},
	// https://platform.moonshot.ai/docs: temperature up to 1, five stop
	// sequences, no tool can be forced, pictures come as data, thoughts have to
	// return with the calls that follow them.
	{name: "moonshot", base: "https://api.moonshot.ai/v1", quirks: quirks{
		cap: "max_tokens", hottest: 1, stops: 5, frequency: true, presence: true, many: true,
		choice: true, objects: true,
		thinking: thinkSwitch, replays: "reasoning_content", images: true, video: true, inline: true,
	}},
	// https://docs.bigmodel.cn: temperature up to 1, one stop sequence, tools
	// are always a matter of the model.
	{name: "zhipu", base: "https://open.bigmodel.cn/api/paas/v4", quirks: quirks{
		cap: "max_tokens", hottest: 1, stops: 1, user: "user_id", objects: true,
		thinking: thinkSwitch, replays: "reasoning_content", images: true, video: true,
	}},
	// https://www.volcengine.com/docs/82379: Ark.
	{name: "doubao", base: "https://ark.cn-beijing.volces.com/api/v3", quirks: quirks{
		logprobs: true, cap: "max_tokens", frequency: true, presence: true,
		choice: true, required: true, named: true, parallel: true, objects: true, schemas: true, strict: true,
		thinking: thinkSwitch, images: true, video: true,
	}},
	// https://platform.minimax.io/docs: temperature above 0 and up to 1, one
	// answer, text only; thoughts come apart from the text when that is asked for.
	{name: "minimax", base: "https://api.minimax.io/v1", quirks: quirks{
		cap: "max_tokens", hottest: 1, coldest: 0.01, choice: true, replays: "reasoning_details",
		always: [][2]string{{"reasoning_split", "true"}},
	}},
	// https://docs.mistral.ai/api: unknown members are refused, ids of calls have
	// nine letters and digits.
	{name: "mistral", base: "https://api.mistral.ai/v1", quirks: quirks{
		cap: "max_tokens", silent: true, hottest: 1.5, seed: "random_seed", frequency: true, presence: true, many: true,
		choice: true, required: true, named: true, parallel: true, objects: true, schemas: true, strict: true,
		images: true, shortIDs: true,
	}},
	// https://console.groq.com/docs/api-reference: one answer, penalties are
	// not implemented.
	{name: "groq", base: "https://api.groq.com/openai/v1", quirks: quirks{
		cap: "max_completion_tokens", seed: "seed", user: "user",
		choice: true, required: true, named: true, parallel: true, objects: true, schemas: true, strict: true,
		thinking: thinkEffort, images: true,
	}},
	// https://docs.together.ai/reference/chat-completions-1
	{name: "together", base: "https://api.together.xyz/v1", quirks: quirks{
		cap: "max_tokens", topK: "top_k", seed: "seed", frequency: true, presence: true, many: true,
		choice: true, required: true, named: true, objects: true, schemas: true, strict: true,
		thinking: thinkEffort, images: true, video: true,
	}},
	// https://openrouter.ai/docs/api-reference: signed thoughts return in
	// reasoning_details, cache marks pass.
	{name: "openrouter", base: "https://openrouter.ai/api/v1", quirks: quirks{
		logprobs: true, cap: "max_tokens", topK: "top_k", seed: "seed", user: "user", frequency: true, presence: true,
		choice: true, required: true, named: true, parallel: true, objects: true, schemas: true, strict: true,
		thinking: thinkObject, replays: "reasoning_details", marks: true,
		images: true, audio: true, video: true, files: true, addresses: true,
	}},
	// https://docs.vllm.ai: the chat templates of models decide; many take
	// instructions at the beginning only, and reasoning is switched by the
	// template's own flags.
	{name: "vllm", quirks: selfHosted},
	// https://docs.sglang.ai
	{name: "sglang", quirks: selfHosted},
	// https://docs.ollama.com/api/openai-compatibility: tool_choice, n and user
	// are not implemented, pictures come as data.
	{name: "ollama", quirks: quirks{
		cap: "max_tokens", seed: "seed", frequency: true, presence: true, objects: true, schemas: true,
		thinking: thinkEffort, images: true, inline: true,
	}},
}

// ownQuirks are OpenAI's own, which Azure shares.
var ownQuirks = quirks{
	logprobs: true, cap: "max_completion_tokens", seed: "seed", user: "user", frequency: true, presence: true, many: true,
	choice: true, required: true, named: true, allowed: true, parallel: true, strict: true, custom: true,
	objects: true, schemas: true, thinking: thinkEffort, selective: true, packs: true,
	images: true, audio: true, files: true,
	extras: []string{
		"logit_bias", "prediction", "prompt_cache_key", "prompt_cache_retention", "safety_identifier",
		"service_tier", "verbosity",
	},
}

// selfHosted are those of engines that serve open models.
var selfHosted = quirks{
	logprobs: true, cap: "max_tokens", topK: "top_k", seed: "seed", user: "user", frequency: true, presence: true, many: true,
	choice: true, required: true, named: true, parallel: true, objects: true, schemas: true,
	thinking: thinkTemplate, leading: true, images: true, audio: true, video: true,
}
