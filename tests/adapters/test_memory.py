"""The memory store and catalog keep the contract."""

import pytest
from contract import CatalogContract, StoreContract

from imgpipe.adapters.memory import MemoryCatalog, MemoryStore


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()

    def test_what_is_not_there_is_gone_for_certain(self, store: MemoryStore) -> None:
        assert store.is_gone("cat.jpg")


class TestMemoryCatalog(CatalogContract):
    @pytest.fixture
    def catalog(self) -> MemoryCatalog:
        return MemoryCatalog()
