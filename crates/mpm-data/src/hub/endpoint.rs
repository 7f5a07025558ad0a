//! Addresses: of files, and of where redirects lead.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ureq::http::{Uri, uri::Scheme};

use super::{HubError, HubReference, HubRepo, RepoKind};

/// What has to be encoded in a part of a path.
const PART: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The Hub or a mirror of it.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    /// Without a `/` at its end.
    base: String,
    origin: Origin,
}

/// Whom one speaks to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    scheme: String,
    host: String,
    port: u16,
}

impl Endpoint {
    /// # Errors
    /// [`HubError::Endpoint`].
    pub(super) fn parse(text: &str) -> Result<Self, HubError> {
        let base = text.trim().trim_end_matches('/');
        let uri: Option<Uri> = base.parse().ok();
        // Names and passwords would show in messages.
        let uri = uri.filter(|uri| !base.contains(['@', '?', '#']) && uri.host().is_some());
        let origin = uri.as_ref().and_then(Origin::of);
        let origin = origin.ok_or_else(|| HubError::Endpoint {
            endpoint: text.to_owned(),
        })?;
        Ok(Self {
            base: base.to_owned(),
            origin,
        })
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The page of a repository, for people.
    pub(super) fn page(&self, repo: &HubRepo) -> String {
        let kind = match repo.kind() {
            RepoKind::Model => "",
            RepoKind::Dataset => "datasets/",
        };
        format!("{}/{kind}{}", self.base, repo.name())
    }

    /// A file at a revision.
    pub(super) fn file(&self, reference: &HubReference, revision: &str) -> String {
        let revision = utf8_percent_encode(revision, PART);
        let parts = reference.file().split('/');
        let parts: Vec<_> = parts
            .map(|part| utf8_percent_encode(part, PART).to_string())
            .collect();
        let page = self.page(reference.repo());
        format!("{page}/resolve/{revision}/{}", parts.join("/"))
    }

    /// What a repository has, for programs.
    pub(super) fn listing(&self, repo: &HubRepo) -> String {
        let kind = match repo.kind() {
            RepoKind::Model => "models",
            RepoKind::Dataset => "datasets",
        };
        let revision = utf8_percent_encode(repo.revision(), PART);
        format!(
            "{}/api/{kind}/{}/revision/{revision}",
            self.base,
            repo.name()
        )
    }
}

impl Origin {
    /// `None` for what is not HTTP.
    pub(super) fn of(uri: &Uri) -> Option<Self> {
        let port = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => 80,
            Some(scheme) if *scheme == Scheme::HTTPS => 443,
            _ => return None,
        };
        Some(Self {
            scheme: uri.scheme_str()?.to_ascii_lowercase(),
            host: uri.host()?.to_ascii_lowercase(),
            port: uri.port_u16().unwrap_or(port),
        })
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }
}

/// Where a redirect leads. `None` for what is no address, and where TLS would be given up.
pub(super) fn follow(from: &Uri, location: &str) -> Option<Uri> {
    let to: Uri = match location {
        _ if location.starts_with("//") => {
            let scheme = from.scheme_str()?;
            format!("{scheme}:{location}").parse().ok()?
        }
        _ if location.starts_with('/') => {
            let parts = from.clone().into_parts();
            let base = Uri::builder().scheme(parts.scheme?);
            let base = base.authority(parts.authority?);
            base.path_and_query(location).build().ok()?
        }
        _ => location.parse().ok()?,
    };
    Origin::of(&to)?;
    let falls_back = from.scheme() == Some(&Scheme::HTTPS) && to.scheme() != Some(&Scheme::HTTPS);
    (!falls_back).then_some(to)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_to_addresses() {
        let from: Uri = "https://hub/a/b?x=1".parse().unwrap();
        let followed = |location| follow(&from, location).map(|uri| uri.to_string());
        let to = |uri: &str| Some(uri.to_owned());
        assert_eq!(followed("/c?y=2"), to("https://hub/c?y=2"));
        assert_eq!(followed("//cdn/c"), to("https://cdn/c"));
        assert_eq!(followed("https://cdn:1/c"), to("https://cdn:1/c"));
        for bad in [
            "http://hub/a",
            "file:///etc/passwd",
            "ftp://hub/",
            "c",
            "",
            "https://",
        ] {
            assert_eq!(followed(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let origin = |text: &str| Origin::of(&text.parse().unwrap());
        assert_eq!(origin("https://Hub/a"), origin("https://hub:443/b"));
        for other in [
            "http://hub/",
            "https://hub:444/",
            "https://hub.evil/",
            "https://evil/hub",
        ] {
            assert_ne!(origin("https://hub/"), origin(other), "{other}");
        }
    }

    #[test]
    fn bad_endpoints_are_refused() {
        for bad in [
            "",
            "hub",
            "ftp://hub",
            "https://",
            "https://a:b@hub",
            "https://hub?x",
        ] {
            let refused = Endpoint::parse(bad);
            assert!(matches!(refused, Err(HubError::Endpoint { .. })), "{bad}");
        }
        let reference: HubReference = "hf://datasets/o/r@a%2Fb/ä b/c?.txt".parse().unwrap();
        let endpoint = Endpoint::parse("http://mirror:8000/hf/").unwrap();
        assert_eq!(
            endpoint.file(&reference, reference.repo().revision()),
            "http://mirror:8000/hf/datasets/o/r/resolve/a%2Fb/%C3%A4%20b/c%3F.txt"
        );
        assert_eq!(
            endpoint.listing(reference.repo()),
            "http://mirror:8000/hf/api/datasets/o/r/revision/a%2Fb"
        );
    }
}
