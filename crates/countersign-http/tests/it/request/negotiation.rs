use countersign_http::request::accept::{NegotiationError, Renderer, negotiate};
use serde_json::{Value, json};

use super::vectors;

fn outcome(vector: &Value, renderers: &[Renderer]) -> Value {
    match negotiate(vector["accept"].as_str(), vector["format"].as_str(), renderers) {
        Ok(agreed) if agreed.renderer == Renderer::Json => {
            json!({"renderer": "json", "media_type": agreed.media_type, "indent": agreed.indent})
        }
        Ok(agreed) => json!({"renderer": "api", "media_type": agreed.media_type}),
        Err(NegotiationError::NotAcceptable) => json!({"error": 406, "class": "NotAcceptable"}),
        Err(NegotiationError::UnknownFormat) => json!({"error": 404, "class": "Http404"}),
    }
}

#[test]
fn every_recorded_accept_header_agrees_on_the_same_renderer() {
    let vectors = vectors("negotiation.json");
    for vector in &vectors {
        assert_eq!(outcome(vector, &[Renderer::Json, Renderer::Api]), vector["default"], "{vector}");
        assert_eq!(outcome(vector, &[Renderer::Json]), vector["json_only"], "{vector}");
    }
    assert_eq!(vectors.len(), 91);
}

#[test]
fn refusals_carry_the_sentences_of_the_reference() {
    assert_eq!(NegotiationError::NotAcceptable.to_string(), "Could not satisfy the request Accept header.");
    assert_eq!(NegotiationError::UnknownFormat.to_string(), "Not found.");
}

fn agreed(accept: &str) -> Result<Renderer, NegotiationError> {
    negotiate(Some(accept), None, &[Renderer::Json, Renderer::Api]).map(|agreed| agreed.renderer)
}

#[test]
fn only_the_first_64_tokens_count_and_empty_or_long_ones_are_not_among_them() {
    let others = |count| "a/b,".repeat(count);
    assert_eq!(agreed(&format!("{}text/html", others(63))), Ok(Renderer::Api));
    assert_eq!(agreed(&format!("{}text/html", others(64))), Err(NegotiationError::NotAcceptable));
    assert_eq!(agreed(&format!("{}{}text/html", ",".repeat(90), others(63))), Ok(Renderer::Api));
    let long = format!("application/json;x={}", "y".repeat(300));
    assert_eq!(agreed(&format!("{long},text/html")), Ok(Renderer::Api));
}

#[test]
fn a_header_over_8192_characters_is_cut_at_a_comma() {
    let filler = format!("{}, ", " ".repeat(8100));
    assert_eq!(agreed(&format!("text/html,{filler}application/json{}", " ".repeat(100))), Ok(Renderer::Api));
    assert_eq!(agreed(&" ".repeat(8193)), Err(NegotiationError::NotAcceptable));
}
