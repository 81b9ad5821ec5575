"""LangChain's chat models for OpenAI, Anthropic and Google, unchanged, against a
Sluice with a scripted provider of each protocol behind it.
"""

import os
import unittest

from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

BASE_URL, KEY = os.environ["SLUICE_TEST_BASE_URL"], os.environ["SLUICE_TEST_KEY"]
ROOT = BASE_URL.removesuffix("/v1")
TARGETS = ["openai", "responses", "anthropic", "gemini"]
TOLD = "Oslo: 21 degrees | Bern: 21 degrees | Rome: 21 degrees"


def script(*lines):
    """Tells a provider what to do, a line per answer; script_test.go says how."""
    return "Please follow the script\n" + "\n".join(lines)


@tool
def get_weather(city: str) -> str:
    """Tells the weather of a city."""
    return f"{city}: 21 degrees"


class Weather(BaseModel):
    """What the weather is like."""

    city: str
    degrees: int


def openai_chat(model):
    return ChatOpenAI(base_url=BASE_URL, api_key=KEY, model=model, max_retries=0, stream_usage=True)


def openai_responses(model):
    return ChatOpenAI(base_url=BASE_URL, api_key=KEY, model=model, max_retries=0, use_responses_api=True, store=False)


def anthropic(model):
    return ChatAnthropic(base_url=ROOT, api_key=KEY, model=model, max_tokens=8192, max_retries=0, stream_usage=True)


def gemini(model):
    return ChatGoogleGenerativeAI(base_url=ROOT, api_key=KEY, model=model, max_retries=1)


def every_client(check):
    """Runs a test with each client in front of each target."""

    def test(self):
        for connect in (openai_chat, openai_responses, anthropic, gemini):
            for target in TARGETS:
                with self.subTest(client=connect.__name__, target=target):
                    check(self, connect(f"{target}-chat"))

    return test


class LangChain(unittest.TestCase):
    @every_client
    def test_stream_with_usage(self, model):
        chunks = list(model.stream(script("say Grüße, 世界!")))
        whole = chunks[0]
        for chunk in chunks[1:]:
            whole += chunk
        self.assertGreater(len(chunks), 2)
        self.assertEqual(whole.text, "Grüße, 世界!")
        self.assertEqual(whole.usage_metadata["input_tokens"], 21)
        self.assertEqual(whole.usage_metadata["output_tokens"], 5)

    @every_client
    def test_rounds_of_tools(self, model):
        rounds = script(
            'say Let me look. && call get_weather {"city":"Oslo"} && call get_weather {"city":"Bern"}',
            'call get_weather {"city":"Rome"}', "say $results")
        bound = model.bind_tools([get_weather])
        messages = [HumanMessage(rounds)]
        for _ in range(3):
            got = bound.invoke(messages)
            messages.append(got)
            for call in got.tool_calls:
                messages.append(ToolMessage(get_weather.invoke(call["args"]), tool_call_id=call["id"], name=call["name"]))
        self.assertEqual(got.text, TOLD)

    @every_client
    def test_structured_output(self, model):
        told = script('say {"city":"$schema","degrees":21}')
        called = script('call Weather {"city":"Oslo","degrees":21}')
        got = model.with_structured_output(Weather, method="json_schema").invoke(told)
        self.assertEqual(got, Weather(city="city,degrees", degrees=21))
        got = model.with_structured_output(Weather, method="function_calling").invoke(called)
        self.assertEqual(got, Weather(city="Oslo", degrees=21))

    @every_client
    def test_failures(self, model):
        with self.assertRaises(Exception) as caught:
            model.invoke(script("fail 400"))
        self.assertIn("400", repr(caught.exception) + str(getattr(caught.exception, "status_code", "")))
        with self.assertRaises(Exception):
            for _ in model.stream(script("say Once upon a time && cut")):
                pass

    def test_embeddings(self):
        # Sends tokens unless it is told that the provider may not know them.
        client = OpenAIEmbeddings(base_url=BASE_URL, api_key=KEY, model="demo-embed", check_embedding_ctx_length=False)
        self.assertEqual(len(client.embed_documents(["one", "two"])), 2)


if __name__ == "__main__":
    unittest.main()
