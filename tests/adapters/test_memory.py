"""The memory store and catalog keep the contract."""

import pytest
from contract import CatalogContract, StoreContract

from imgpipe.adapters.memory import MemoryCatalog, MemoryStore


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()


class TestMemoryCatalog(CatalogContract):
    @pytest.fixture
    def catalog(self) -> MemoryCatalog:
        return MemoryCatalog()
