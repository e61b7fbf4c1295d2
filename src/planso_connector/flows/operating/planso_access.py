"""Whether this process may send requests to the PlanSo of one workshop."""

from planso_connector.domain.errors import PlansoLeaseLost, PlansoUnavailable
from planso_connector.flows.operating.planso_lease import PlansoLease, PlansoLeases


class PlansoAccess:
    """
    The workshop's share of the PlanSo lease. `address`: PlanSo's, as `normalize_address` gives it. `leases`: None for a
    command that an operator runs beside the connector, which needs no lease.
    """

    def __init__(self, workshop: str, address: str, leases: PlansoLeases | None) -> None:
        self.address = address
        self.refusal = ""
        """Why nothing may be sent, for a person: the workshop is paused, or its login can't be used. Else empty."""
        self._workshop = workshop
        self._leases = leases

    @property
    def is_held(self) -> bool:
        """Whether this process has the lease."""
        return self._leases is not None and self._leases.find_held(self.address) is not None

    async def acquire(self) -> bool:
        """Get the lease, or keep it. False where another process has it, and while there is a refusal."""
        if self.refusal:
            return False
        return self._leases is None or isinstance(await self._leases.acquire(self.address, self._workshop), PlansoLease)

    async def acquire_unless_renewed(self) -> bool:
        """As `acquire`, for who asks once: takes some seconds where another process has it, or had it until it died."""
        if self.refusal or self._leases is None:
            return await self.acquire()
        found = await self._leases.acquire_unless_renewed(self.address, self._workshop)
        return isinstance(found, PlansoLease)

    def before_send(self) -> None:
        """To be called immediately before each request. Raises PlansoUnavailable where it must not be sent."""
        if self.refusal:
            raise PlansoUnavailable(self.refusal)
        if self._leases is None:
            return
        lease = self._leases.find_held(self.address)
        if lease is None:
            raise PlansoLeaseLost("this process may not send to PlanSo: it does not have the lease; nothing was sent")
        lease.require()

    async def release(self) -> None:
        """Call it when nothing is on its way to PlanSo any more."""
        if self._leases is not None:
            await self._leases.release(self.address, self._workshop)
