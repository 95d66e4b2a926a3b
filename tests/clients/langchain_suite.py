"""LangChain's own standard tests for chat models, held against a gateway; run in an environment of its own.

CAMPUS_ADDRESS and CAMPUS_KEY name the gateway. What is expected to fail, or skipped, stands here with its reason.
"""

import os
from typing import Any

import httpx
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tests fetch the picture they send from the Internet: it comes from here. The client itself uses httpx2."""

    def get(url: str, **options: object) -> httpx.Response:
        return httpx.Response(200, content=b"\x89PNG\r\n\x1a\n")

    monkeypatch.setattr(httpx, "get", get)


class TestCampusChatModel(ChatModelIntegrationTests):
    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatOpenAI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {
            "model": "scholar",
            "base_url": os.environ["CAMPUS_ADDRESS"],
            "api_key": os.environ["CAMPUS_KEY"],
            "stream_usage": True,
        }

    @property
    def supports_image_inputs(self) -> bool:
        return True

    @property
    def supports_image_urls(self) -> bool:
        return False  # addresses are never fetched: pictures travel inside the request

    @property
    def supports_image_tool_message(self) -> bool:
        return False  # chat completions take text alone from a tool

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        return False  # its cache_control is no field of OpenAI's, and what is unknown is refused by name

    @property
    def enable_vcr_tests(self) -> bool:
        return False  # nothing is recorded here
