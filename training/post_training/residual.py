"""The residual head: base chunk in, corrected chunk out; works on top of any policy.

It needs the observation, the robot's state and the base policy's chunk, nothing from inside the policy.
World2Act, Stage 2: variants v1 (``action``) and v2 (``latent``).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from training.post_training.actions import ChunkCoder, add_residual, residual_bound, soft_bound
from training.post_training.config import ResidualConfig
from training.post_training.network import ResidualNetwork
from training.vla.normalisation import Normalisation
from world2act_core.contract import Contract


class ResidualHead(nn.Module):
    """The trained network with the frozen action adapter. Images come as uint8, state and actions in robot units.

    Only the first M steps of a chunk are changed, M being the adapter's chunk: those are executed before the policy is
    asked again.
    """

    bound: torch.Tensor

    def __init__(self, contract: Contract, adapter: nn.Module, config: ResidualConfig) -> None:
        """adapter: an :class:`~training.post_training.interfaces.ActionAdapter`; it is frozen here."""
        super().__init__()
        self.contract = contract
        self.config = config
        self.coder = ChunkCoder(contract, adapter)
        self.steps = self.coder.steps
        outputs = self.coder.size if config.variant == "latent" else self.steps * contract.action_size
        self.network = ResidualNetwork(contract, self.coder.size, outputs, config)
        self.normalisation = Normalisation(contract)
        self.register_buffer("bound", residual_bound(contract, config))

    def forward(self, images: Mapping[str, torch.Tensor], state: torch.Tensor, base: torch.Tensor) -> torch.Tensor:
        """The chunk to execute, [B, T, A] in robot units.

        images: camera name -> uint8 [B, H, W, 3]; state: [B, S]; base: the policy's chunk [B, T, A], T >= M. With a
        bound of 0, and before the first optimiser step, the result has the bits of ``base``.
        """
        first = base[:, : self.steps]
        changed = add_residual(first, self.residual(images, state, first), self.coder.scale.low, self.coder.scale.high)
        return torch.cat([changed, base[:, self.steps :]], dim=1)

    def residual(self, images: Mapping[str, torch.Tensor], state: torch.Tensor, base: torch.Tensor) -> torch.Tensor:
        """What is added to the first M steps ``base`` [B, M, A]; within +-:attr:`bound`, robot units."""
        shares = self.coder.scale.normalise(base)
        base_code = self.coder.encode(shares)
        output = self.network(images, self.normalisation.state(state), base_code)
        if self.config.variant == "action":
            return self.bound * torch.tanh(output).unflatten(1, (self.steps, -1))
        change = self._decoded_change(shares, base_code, self.config.latent_bound * torch.tanh(output))
        return soft_bound(change * self.coder.scale.radius, self.bound)

    def trainable(self) -> dict[str, nn.Parameter]:
        """The parameters that training may change, by name."""
        return dict(self.network.named_parameters(prefix="network"))

    def own_tensors(self) -> dict[str, torch.Tensor]:
        """What a checkpoint holds: everything but the frozen adapter."""
        return {name: value for name, value in self.state_dict().items() if not name.startswith("coder.")}

    def load_own(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Take over :meth:`own_tensors`; RuntimeError when one is missing or of another shape."""
        frozen = {f"coder.{name}": value for name, value in self.coder.state_dict().items()}
        self.load_state_dict({**frozen, **tensors})

    def _decoded_change(self, shares: torch.Tensor, code: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        """Change of the chunk [B, M, A], in shares, that a change of its code causes; exactly 0 for a shift of 0."""
        before = self.coder.decode(code)
        change = self.coder.decode(code + shift) - before
        if self.config.latent_decode == "direct":
            # Where the code moves at all, the decoder's reconstruction replaces the base action.
            moved = (shift.detach() != 0).any(dim=-1)[:, None, None].to(change.dtype)
            change = change + moved * (before - shares)
        return change
