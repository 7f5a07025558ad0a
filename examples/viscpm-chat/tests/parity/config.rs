//! The configuration of a case's model.

use mpm_llm::cpm_bee::CpmBeeConfig;
use mpm_test_support::Case;
use mpm_vision::{Beit3Config, MuffinConfig};
use viscpm_chat::VisCpmChatConfig;

pub fn config(case: &Case) -> VisCpmChatConfig {
    let llm: CpmBeeConfig = serde_json::from_value(case.json["llm_config"].clone()).unwrap();
    let size = |key: &str| case.size(&format!("/beit_config/{key}"));
    let encoder = Beit3Config::new(
        size("encoder_embed_dim"),
        size("encoder_ffn_embed_dim"),
        size("encoder_attention_heads"),
        size("encoder_layers"),
    )
    .with_image_size(size("img_size"))
    .with_patch_size(size("patch_size"))
    .with_max_positions(size("max_source_positions"));
    let queries = case.size("/query_num");
    let visual = MuffinConfig::new(encoder, llm.dim_model).with_num_queries(queries);
    VisCpmChatConfig::muffin(llm, visual)
}
