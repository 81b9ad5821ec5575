"""The Python SDKs of OpenAI, Anthropic and Google, unchanged, against a Sluice with
a scripted provider of each protocol behind it.
"""

import json
import os
import unittest

import anthropic
import openai
from google import genai

BASE_URL, KEY = os.environ["SLUICE_TEST_BASE_URL"], os.environ["SLUICE_TEST_KEY"]
ROOT = BASE_URL.removesuffix("/v1")
TARGETS = ["openai", "responses", "anthropic", "gemini"] if os.environ.get("SLUICE_TEST_TARGETS") else []
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
ANSWER = {
    "type": "object", "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}},
    "required": ["city", "degrees"], "additionalProperties": False,
}
JSON_SCRIPT = 'say {"city":"$schema","degrees":21}'
JSON_ANSWER = {"city": "city,degrees", "degrees": 21}
TOLD = "Oslo: 21 degrees | Bern: 21 degrees | Rome: 21 degrees"


def script(*lines):
    """Tells a provider what to do, a line per answer; script_test.go says how."""
    return "Please follow the script\n" + "\n".join(lines)


ROUNDS = script(
    'say Let me look. && call get_weather {"city":"Oslo"} && call get_weather {"city":"Bern"}',
    'call get_weather {"city":"Rome"}', "say $results")


def weather(arguments):
    return f"{arguments['city']}: 21 degrees"


class Targets(unittest.TestCase):
    def each(self):
        return [(target, f"{target}-chat") for target in TARGETS]


class OpenAI(Targets):
    def setUp(self):
        self.client = openai.OpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0)
        self.addCleanup(self.client.close)

    def user(self, text):
        return [{"role": "user", "content": text}]

    def test_rounds_of_tools(self):
        tools = [{"type": "function", "function": {"name": "get_weather", "parameters": CITY}}]
        for _, model in self.each():
            messages = self.user(ROUNDS)
            for _ in range(3):
                message = self.client.chat.completions.create(model=model, messages=messages, tools=tools).choices[0].message
                messages.append(message)
                for call in message.tool_calls or []:
                    messages.append({"role": "tool", "tool_call_id": call.id, "content": weather(json.loads(call.function.arguments))})
            self.assertEqual(message.content, TOLD)

    def test_responses_rounds(self):
        tools = [{"type": "function", "name": "get_weather", "parameters": CITY, "strict": True}]
        for _, model in self.each():
            messages = self.user(ROUNDS)
            for _ in range(3):
                got = self.client.responses.create(model=model, input=messages, tools=tools, store=False)
                messages += got.output
                for call in got.output:
                    if call.type == "function_call":
                        messages.append({"type": "function_call_output", "call_id": call.call_id, "output": weather(json.loads(call.arguments))})
            self.assertEqual(got.output_text, TOLD)

    def test_schema_and_stream(self):
        form = {"type": "json_schema", "json_schema": {"name": "weather", "schema": ANSWER, "strict": True}}
        for _, model in self.each():
            with self.client.chat.completions.stream(model=model, messages=self.user(script(JSON_SCRIPT)), response_format=form) as stream:
                for _ in stream:
                    pass
                self.assertEqual(json.loads(stream.get_final_completion().choices[0].message.content), JSON_ANSWER)

    def test_failures(self):
        for target, model in self.each():
            with self.assertRaises(openai.BadRequestError):
                self.client.chat.completions.create(model=model, messages=self.user(script("fail 400")))
            with self.assertRaises(openai.RateLimitError):
                self.client.chat.completions.create(model=f"{target}-limited-chat-whole", messages=self.user(script("fail 429")))
            with self.assertRaises(openai.APIError):
                for _ in self.client.chat.completions.create(model=model, messages=self.user(script("say Once upon a time && cut")), stream=True):
                    pass


class Anthropic(Targets):
    def setUp(self):
        self.client = anthropic.Anthropic(base_url=ROOT, api_key=KEY, max_retries=0)
        self.addCleanup(self.client.close)

    def ask(self, model, text, **more):
        return {"model": model, "max_tokens": 8192, "messages": [{"role": "user", "content": text}], **more}

    def test_rounds_of_tools(self):
        tools = [{"name": "get_weather", "input_schema": CITY}]
        for _, model in self.each():
            ask = self.ask(model, ROUNDS, tools=tools)
            for _ in range(3):
                with self.client.messages.stream(**ask) as stream:
                    got = stream.get_final_message()
                calls = [b for b in got.content if b.type == "tool_use"]
                results = [{"type": "tool_result", "tool_use_id": c.id, "content": weather(c.input)} for c in calls]
                ask["messages"] += [{"role": "assistant", "content": got.content}, {"role": "user", "content": results}]
            self.assertEqual(got.content[0].text, TOLD)

    def test_text_schema_and_count(self):
        for _, model in self.each():
            got = self.client.messages.create(**self.ask(model, script("say Grüße, 世界! $system"), system="Be brief."))
            self.assertEqual(got.content[0].text, "Grüße, 世界! Be brief.")
            self.assertEqual((got.usage.input_tokens, got.usage.cache_read_input_tokens, got.usage.output_tokens), (13, 8, 5))
            form = {"format": {"type": "json_schema", "schema": ANSWER}}
            got = self.client.messages.create(**self.ask(model, script(JSON_SCRIPT), output_config=form))
            self.assertEqual(json.loads(got.content[0].text), JSON_ANSWER)
            counted = self.client.messages.count_tokens(model=model, messages=[{"role": "user", "content": script("say no")}])
            self.assertEqual(counted.input_tokens, 42)

    def test_failures(self):
        for target, model in self.each():
            with self.assertRaises(anthropic.BadRequestError):
                self.client.messages.create(**self.ask(model, script("fail 400")))
            with self.assertRaises(anthropic.RateLimitError):
                self.client.messages.create(**self.ask(f"{target}-limited-messages-whole", script("fail 429")))
            with self.assertRaises(anthropic.APIError):
                with self.client.messages.stream(**self.ask(model, script("say Once upon a time && cut"))) as stream:
                    stream.get_final_message()


class Gemini(Targets):
    def setUp(self):
        self.client = genai.Client(api_key=KEY, http_options={"base_url": ROOT})
        self.addCleanup(self.client.close)

    def test_rounds_of_tools(self):
        def get_weather(city: str) -> str:
            """Tells the weather."""
            return weather({"city": city})

        # The SDK calls the function by itself, as often as it is asked to.
        for _, model in self.each():
            got = self.client.models.generate_content(model=model, contents=ROUNDS, config={"tools": [get_weather]})
            self.assertIn("Rome: 21 degrees", got.text)

    def test_text_schema_and_count(self):
        for _, model in self.each():
            form = {"response_mime_type": "application/json", "response_json_schema": ANSWER}
            got = self.client.models.generate_content(model=model, contents=script(JSON_SCRIPT), config=form)
            self.assertEqual(json.loads(got.text), JSON_ANSWER)
            stream = self.client.models.generate_content_stream(model=model, contents=script("say Grüße, 世界!"))
            self.assertEqual("".join(chunk.text or "" for chunk in stream), "Grüße, 世界!")
            self.assertEqual(self.client.models.count_tokens(model=model, contents=script("say no")).total_tokens, 42)

    def test_failures(self):
        for target, model in self.each():
            with self.assertRaises(genai.errors.ClientError) as caught:
                self.client.models.generate_content(model=model, contents=script("fail 400"))
            self.assertEqual(caught.exception.code, 400)
            with self.assertRaises(genai.errors.ClientError) as caught:
                self.client.models.generate_content(model=f"{target}-limited-generateContent-whole", contents=script("fail 429"))
            self.assertEqual(caught.exception.code, 429)
            with self.assertRaises(Exception):
                for _ in self.client.models.generate_content_stream(model=model, contents=script("say Once upon a time && cut")):
                    pass


if __name__ == "__main__":
    unittest.main()
