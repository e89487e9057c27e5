"""What HIP3_MODE=paper does not go with. Pure."""

from hip3.config.settings import Settings


def paper_faults(s: Settings) -> list[str]:
    """Paper has an account, a key and a stream of its own."""
    faults = []
    if s.network == "embedded":
        faults.append("HIP3_MODE=paper needs HIP3_NETWORK=mainnet or testnet: on embedded no money is real anyway")
    for name in ("private_key", "private_key_file", "keystore_file", "keystore_password"):
        if getattr(s, name):
            faults.append(f"paper needs no key: remove HIP3_{name.upper()}, or use HIP3_MODE=trade")
    for name in ("signer_address", "account_address", "vault_address"):
        if getattr(s, name):
            faults.append(f"paper has an account of its own: remove HIP3_{name.upper()}, or use HIP3_MODE=trade")
    if s.ws_url is not None:
        faults.append("HIP3_WS_URL is not used in paper, its stream is beside HIP3_API_URL: remove it")
    return faults
