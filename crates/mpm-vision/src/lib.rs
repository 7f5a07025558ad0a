//! Picture encoders for multimodal language models: BEiT-3 and the Muffin visual module, on Burn
