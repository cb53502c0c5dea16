"""Training protocols: how animals are trained, as data; subjects that are trained so; which protocol is better."""

from neurojax.protocols.endpoints import summarise as summarise
from neurojax.protocols.group import StudySettings as StudySettings
from neurojax.protocols.judge import compare as compare
from neurojax.protocols.judge import compare_all as compare_all
from neurojax.protocols.plan import walk_task as walk_task
from neurojax.protocols.protocol import Adaptation as Adaptation
from neurojax.protocols.protocol import Assistance as Assistance
from neurojax.protocols.protocol import Change as Change
from neurojax.protocols.protocol import Correction as Correction
from neurojax.protocols.protocol import Criterion as Criterion
from neurojax.protocols.protocol import Exam as Exam
from neurojax.protocols.protocol import Limits as Limits
from neurojax.protocols.protocol import Protocol as Protocol
from neurojax.protocols.protocol import Sessions as Sessions
from neurojax.protocols.protocol import Stage as Stage
from neurojax.protocols.protocol import Transition as Transition
from neurojax.protocols.protocol import load_protocol as load_protocol
from neurojax.protocols.protocol import save_protocol as save_protocol
from neurojax.protocols.results import StudyResult as StudyResult
from neurojax.protocols.results import load_study as load_study
from neurojax.protocols.robust import rank as rank
from neurojax.protocols.robust import robustness as robustness
from neurojax.protocols.study import floor as floor
from neurojax.protocols.study import perfect_walk as perfect_walk
from neurojax.protocols.study import run_study as run_study
from neurojax.protocols.walk import Walk as Walk
