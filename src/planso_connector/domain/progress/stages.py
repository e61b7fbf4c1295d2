"""Stages of an order from the first call to the hand-over."""

from enum import IntEnum


class ProgressStage(IntEnum):
    """Stages in their order; responses number them as steps."""

    ANNOUNCED = 1
    RECEIVED = 2
    PARTS = 3
    BODY = 4
    PAINT = 5
    FINISH = 6
    READY = 7
    CLOSED = 8


STAGE_DESCRIPTIONS = {
    ProgressStage.ANNOUNCED: "asked for, estimated, or an appointment is made",
    ProgressStage.RECEIVED: "the workshop has taken the vehicle in",
    ProgressStage.PARTS: "parts are ordered or waited for",
    ProgressStage.BODY: "body work",
    ProgressStage.PAINT: "painting",
    ProgressStage.FINISH: "assembly, cleaning, final checks",
    ProgressStage.READY: "the work is done",
    ProgressStage.CLOSED: "handed over, or the order left PlanSo's list",
}
