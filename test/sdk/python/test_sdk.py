"""Runs the official OpenAI Python SDK, unchanged, against a running Sluice.

The suite in the parent folder starts the server and runs this with unittest.
"""

import asyncio
import json
import os
import unittest

import openai

BASE_URL = os.environ["SLUICE_TEST_BASE_URL"]
TOOLS = [{
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}]


def connect(key_variable="SLUICE_TEST_KEY"):
    return openai.OpenAI(base_url=BASE_URL, api_key=os.environ[key_variable], max_retries=0)


def ask(text, **more):
    return {"model": "demo-chat", "messages": [{"role": "user", "content": text}], **more}


class SDK(unittest.TestCase):
    def setUp(self):
        self.client = connect()
        self.addCleanup(self.client.close)

    def test_chat(self):
        got = self.client.chat.completions.create(**ask("Say hello"))
        self.assertTrue(got.choices[0].message.content)
        self.assertEqual(got.choices[0].finish_reason, "stop")
        self.assertEqual(got.usage.total_tokens, got.usage.prompt_tokens + got.usage.completion_tokens)

    def test_chat_stream_with_usage(self):
        text, usage, chunks = "", None, 0
        for chunk in self.client.chat.completions.create(**ask("Count to ten", stream=True, stream_options={"include_usage": True})):
            chunks += 1
            usage = chunk.usage or usage
            for choice in chunk.choices:
                text += choice.delta.content or ""
        self.assertGreater(chunks, 2)
        self.assertTrue(text)
        self.assertGreater(usage.total_tokens, 0)

    def test_chat_stream_helper(self):
        with self.client.chat.completions.stream(**ask("Hi")) as stream:
            for _ in stream:
                pass
            self.assertTrue(stream.get_final_completion().choices[0].message.content)

    def test_async(self):
        async def run():
            async with openai.AsyncOpenAI(base_url=BASE_URL, api_key=os.environ["SLUICE_TEST_KEY"], max_retries=0) as client:
                return await asyncio.gather(*(client.chat.completions.create(**ask(f"Say {n}")) for n in range(5)))

        self.assertEqual(len(asyncio.run(run())), 5)

    def test_tools(self):
        got = self.client.chat.completions.create(**ask("Weather in Paris?", tools=TOOLS, tool_choice="required"))
        self.assertEqual(got.choices[0].finish_reason, "tool_calls")
        call = got.choices[0].message.tool_calls[0]
        self.assertEqual(call.function.name, "get_weather")
        json.loads(call.function.arguments)

    def test_embeddings(self):
        got = self.client.embeddings.create(model="demo-embed", input=["one", "two"])
        self.assertEqual(len(got.data), 2)
        self.assertTrue(all(isinstance(x, float) for x in got.data[0].embedding))

    def test_completions(self):
        got = self.client.completions.create(model="demo-chat", prompt="Once upon a time")
        self.assertTrue(got.choices[0].text)

    def test_models(self):
        self.assertIn("demo-chat", [m.id for m in self.client.models.list()])
        self.assertEqual(self.client.models.retrieve("demo-chat").id, "demo-chat")

    def test_errors(self):
        with self.assertRaises(openai.AuthenticationError) as caught:
            self.client.with_options(api_key="slc_live_wrong").chat.completions.create(**ask("x"))
        self.assertEqual(caught.exception.status_code, 401)
        self.assertTrue(caught.exception.code)
        with self.assertRaises(openai.NotFoundError):
            self.client.chat.completions.create(**{**ask("x"), "model": "no-such-model"})
        with self.assertRaises(openai.NotFoundError):
            self.client.models.retrieve("no-such-model")
        with self.assertRaises(openai.BadRequestError):
            self.client.post("/chat/completions", body={"model": "demo-chat"}, cast_to=object)
        limited = connect("SLUICE_TEST_LIMITED_KEY")
        self.addCleanup(limited.close)
        with self.assertRaises(openai.RateLimitError):
            for _ in range(5):
                limited.chat.completions.create(**ask("x"))


if __name__ == "__main__":
    unittest.main()
