"""The keys of the Open Data Contract Standard, by level: v3.1, and the few that v3.2 added."""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


CONTRACT_KEYS = _words(
    "apiVersion kind id name version status schema slaProperties slaDefaultElement customProperties tenant tags "
    "servers dataProduct description domain context support price team roles authoritativeDefinitions "
    "contractCreatedTs"
)
_ELEMENT_KEYS = _words(
    "id name physicalType description businessName authoritativeDefinitions tags customProperties logicalType "
    "physicalName relationships quality deprecated synonyms"
)
OBJECT_KEYS = (*_ELEMENT_KEYS, *_words("dataGranularityDescription properties context"))
PROPERTY_KEYS = (
    *_ELEMENT_KEYS,
    *_words(
        "primaryKey primaryKeyPosition logicalTypeOptions required unique partitioned partitionKeyPosition enum "
        "classification encryptedName transformSourceObjects transformLogic transformDescription examples "
        "criticalDataElement semanticType"
    ),
)
OPERATORS = _words(
    "mustBe mustNotBe mustBeGreaterThan mustBeGreaterOrEqualTo mustBeLessThan mustBeLessOrEqualTo mustBeBetween "
    "mustNotBeBetween"
)
QUALITY_KEYS = (
    *_words(
        "id name description dimension type metric rule arguments query severity unit businessImpact "
        "customProperties authoritativeDefinitions method schedule scheduler tags engine implementation"
    ),
    *OPERATORS,
)
SLA_KEYS = _words(
    "id property value valueExt unit element driver description scheduler schedule customProperties "
    "authoritativeDefinitions"
)
METRICS = ("nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount")
ARGUMENTS = {
    "missingValues": ("missingValues",),
    "invalidValues": ("validValues", "pattern"),
    "duplicateValues": ("properties",),
}
