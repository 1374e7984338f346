"""Every error that r1flow raises on purpose.

::

    R1Error
    |-- UserError              the input is wrong; the message names the field and the fix; exit code 2
    |   |-- ConfigError        an unknown setting, a value out of range, settings that exclude each other
    |   |-- DataError          a missing file, too many bad rows, a dataset without rows
    |   |-- ModelError         a model directory that cannot be used as one
    |   `-- BudgetExhausted    the run has cost what it may; exit code 3, raising the budget goes on
    |-- StoreError             the object store refused or is not what it should be
    |   |-- StoreUnavailable   cannot be reached or written; worth a retry
    |   |-- ObjectMissingError nothing lies under this key
    |   |-- IntegrityError     bytes differ from their manifest
    |   |-- LeaseHeldError     somebody else is computing this artifact
    |   |-- LeaseLostError     the lease of what is being computed went to somebody else
    |   `-- PromotionConflict  another model was promoted meanwhile
    |-- StageFailed            a stage's program ended badly; carries the tail of its log
    |-- ServerFailed           a server that was started did not come up, or has ended; carries the tail of its log
    |-- ScoringError           too many completions could not be scored, through no fault of theirs
    |-- WeightSyncError        the sampler does not serve the trainer's weights
    |-- ConservationError      a step of curation lost rows, or made some
    `-- NumericsError          non-finite numbers where none can be tolerated
"""


class R1Error(Exception):
    """Root of the tree."""


class UserError(R1Error):
    """The input is wrong. One message, naming the field and the fix; the command line shows it and exits with 2."""


class ConfigError(UserError):
    """A setting is unknown, out of range, or does not go with another."""


class DataError(UserError):
    """Data is missing, empty or too broken to use."""


class ModelError(UserError):
    """A directory is not a usable model."""


class BudgetExhausted(UserError):
    """The run has cost what its budget allows. Nothing is lost: raised, it goes on from where it stopped."""


class StoreError(R1Error):
    """The object store failed."""


class StoreUnavailable(StoreError):
    """The store cannot be reached or written."""


class ObjectMissingError(StoreError):
    """No object lies under the key that was asked for."""


class IntegrityError(StoreError):
    """Stored bytes are not the bytes that were published."""


class LeaseHeldError(StoreError):
    """Another live process is computing the same artifact."""


class LeaseLostError(StoreError):
    """This process was taken for dead, and another has its work now."""


class PromotionConflict(StoreError):
    """Another promotion was written since this one was decided."""


class StageFailed(R1Error):
    """A stage's program ended with an error or was killed."""


class ServerFailed(R1Error):
    """A server that was started here did not come up, or has ended."""


class ScoringError(R1Error):
    """Verifiers or sandboxes failed; training on what is left would be training on a selection."""


class WeightSyncError(R1Error):
    """The sampler's weights are not the trainer's."""


class ConservationError(R1Error):
    """Rows in are not rows out, quarantined and dropped together: a step of curation is wrong."""


class NumericsError(R1Error):
    """Non-finite numbers where none can be tolerated."""
