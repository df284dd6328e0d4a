"""Every derived class, in the order in which they are derived: each may read what those before it have published."""

from processors.derive.alarm import AlarmRecords
from processors.derive.alert import ImplausibleCounts, SilenceAlerts
from processors.derive.bottleneck.bottleneck import BottleneckRecords
from processors.derive.capability import CapabilityRecords
from processors.derive.changeover import ChangeoverRecords
from processors.derive.condition import ConditionRecords
from processors.derive.current import Snapshots
from processors.derive.cycle import CycleRecords
from processors.derive.derivation import Derivation, LineDerivation
from processors.derive.downtime import DowntimeRecords
from processors.derive.group import GroupRecords
from processors.derive.kpi import KpiRecords
from processors.derive.lifecycle import Acknowledgements
from processors.derive.oee import OeeRecords
from processors.derive.prediction import PredictionRecords
from processors.derive.production import ProductionRecords
from processors.derive.quality import QualityRecords
from processors.derive.specification import SpecificationAlerts
from processors.derive.state import StateRecords

OF_CELL: tuple[type[Derivation], ...] = (
    StateRecords,
    DowntimeRecords,
    ProductionRecords,
    OeeRecords,
    KpiRecords,
    ChangeoverRecords,
    CycleRecords,
    SilenceAlerts,
    ImplausibleCounts,
    QualityRecords,
    CapabilityRecords,
    SpecificationAlerts,
    GroupRecords,
    ConditionRecords,
    PredictionRecords,
    Acknowledgements,
    AlarmRecords,
    Snapshots,
)

OF_LINE: tuple[type[LineDerivation], ...] = (BottleneckRecords,)
