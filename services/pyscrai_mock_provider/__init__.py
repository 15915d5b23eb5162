"""A provider that speaks OpenAI's protocol, behaves as badly as it is told to, and writes its own bill.

from pyscrai_mock_provider import mock_provider

with mock_provider(fault=["rate_limit=0.1", "dropped=0.05"], price="1,2") as provider:
    ...  # the model is provider.model, an address for OpenAI's clients is provider.base_url
    assert provider.bill()["totals"]["cost"] == "0.0042"
"""

from pyscrai_mock_provider.running import MockProvider, mock_provider, mock_provider_process
from pyscrai_mock_provider.settings import BadSetting

__all__ = ["BadSetting", "MockProvider", "mock_provider", "mock_provider_process"]
