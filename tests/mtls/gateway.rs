//! Envoy with TLS listeners, and clients with certificates.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use serde_json::{Value, json};
use wasm_test_harness::{
    echo::{Echo, Seen},
    envoy::{Endpoint, Envoy, Gateway, Listener},
    mint::{TokenSpec, jwks, mint},
    module_path,
};

use super::authority::{Authority, Issued};

/// The caller that the client forges in every request.
pub const FORGED: &str = "spiffe://cluster.local/ns/prod/forged";

/// A running gateway, and the authority that it trusts.
pub struct Running {
    pub envoy: Envoy,
    pub trusted: Authority,
    _echo: Echo,
}

/// How a listener asks for certificates.
#[derive(Clone, Copy)]
pub struct Tls {
    pub require: bool,
    pub accept_untrusted: bool,
    pub resumption: bool,
}

/// Envoy lets no client through whose certificate it has not validated; one without may come.
pub const OPTIONAL: Tls = Tls { require: false, accept_untrusted: false, resumption: false };

/// What a client gets.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    /// The service was told this caller.
    Caller(Option<String>),
    /// The gateway answered with this status, and this code.
    Denied(u16, String),
    /// There is no connection.
    NoConnection,
}

/// A client: each request has a connection of its own.
pub struct Client<'a> {
    pub issued: Option<&'a Issued>,
    pub token: Option<String>,
    pub http2: bool,
}

impl Running {
    /// Starts Envoy with these listeners, each with the same plugin configuration.
    pub fn start(configuration: &Value, listeners: &[(&str, Tls)]) -> Self {
        Self::start_with(configuration, listeners, BTreeMap::new())
    }

    /// As [`start`](Self::start), with clusters that the configuration names.
    pub fn start_with(configuration: &Value, listeners: &[(&str, Tls)], clusters: BTreeMap<String, Endpoint>) -> Self {
        let trusted = Authority::new("trusted");
        let server = trusted.issue("gateway", &["gateway.example.com"]);
        let echo = Echo::spawn().unwrap();
        let (module, environment) = (module_path(), BTreeMap::new());
        let gateway = Gateway {
            module: &module,
            environment: &environment,
            service: echo.address(),
            clusters,
            direct_responses: BTreeMap::new(),
            http2_upstream: false,
        };
        let plugins = listeners.iter().map(|(name, _)| Listener {
            name: (*name).to_owned(),
            configuration: configuration.to_string(),
            normalize_path: false,
            stop_iteration: false,
        });
        let mut bootstrap = gateway.bootstrap(&plugins.collect::<Vec<_>>());
        for ((_, tls), listener) in
            listeners.iter().zip(bootstrap["static_resources"]["listeners"].as_array_mut().unwrap())
        {
            listener["filter_chains"][0]["transport_socket"] = transport_socket(*tls);
        }
        let files = [
            ("ca.pem", trusted.pem()),
            ("server.pem", server.certificate_pem.clone()),
            ("server.key", server.key_pem.clone()),
        ];
        let envoy = Envoy::start_with(&bootstrap, &files, 1).unwrap_or_else(|error| panic!("{error}"));
        Self { envoy, trusted, _echo: echo }
    }

    /// Whether this Envoy tells if it has validated a certificate.
    pub fn tells_validation(&self) -> bool {
        self.version() >= (1, 39)
    }

    /// Whether this Envoy offers the certificate, and not only some names of it.
    pub fn offers_certificate(&self) -> bool {
        self.version() >= (1, 38)
    }

    fn version(&self) -> (u32, u32) {
        let info: Value = serde_json::from_slice(&self.envoy.admin("/server_info").unwrap().body).unwrap();
        // `HASH/1.40.0/Clean/RELEASE/BoringSSL`
        let version = info["version"].as_str().unwrap().split('/').nth(1).unwrap();
        let mut parts = version.split('.').map(|part| part.parse().unwrap());
        (parts.next().unwrap(), parts.next().unwrap())
    }

    /// Sends a request over a connection of its own.
    pub fn get(&self, listener: &str, path: &str, client: &Client<'_>) -> Outcome {
        self.get_with(listener, path, client, &client.config())
    }

    /// As [`get`](Self::get), with a configuration that may remember sessions.
    pub fn get_with(&self, listener: &str, path: &str, client: &Client<'_>, config: &Arc<ClientConfig>) -> Outcome {
        let address = self.envoy.listener(listener).unwrap_or_else(|| panic!("{}", self.envoy.log()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let exchange = async {
            let stream = tokio::net::TcpStream::connect(address).await?;
            let name = ServerName::try_from("gateway.example.com").unwrap();
            let stream = tokio_rustls::TlsConnector::from(Arc::clone(config)).connect(name, stream).await?;
            let request = client.request(path);
            let response = if client.http2 {
                let (mut sender, connection) =
                    hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
                tokio::spawn(connection);
                sender.send_request(request).await?
            } else {
                let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
                tokio::spawn(connection);
                sender.send_request(request).await?
            };
            let (head, body) = response.into_parts();
            Ok::<_, Box<dyn std::error::Error>>((head, body.collect().await?.to_bytes()))
        };
        let answered = runtime.block_on(async { tokio::time::timeout(PATIENCE, exchange).await.expect("no answer") });
        let Ok((head, body)) = answered else {
            return Outcome::NoConnection;
        };
        match head.headers.get("x-echo") {
            Some(mark) => {
                let seen = Seen::read(mark.as_bytes(), &body).unwrap();
                let callers: Vec<_> = seen.headers.iter().filter(|(name, _)| name == "x-caller").collect();
                assert!(callers.len() < 2, "{callers:?}");
                Outcome::Caller(callers.first().map(|(_, value)| String::from_utf8(value.0.clone()).unwrap()))
            }
            None => {
                let body: Value = serde_json::from_slice(&body).unwrap();
                Outcome::Denied(head.status.as_u16(), body["error"].as_str().unwrap().to_owned())
            }
        }
    }
}

impl Client<'_> {
    /// How it speaks TLS. Envoy's own certificate is not what is tested.
    pub fn config(&self) -> Arc<ClientConfig> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let builder = builder.unwrap().dangerous().with_custom_certificate_verifier(Arc::new(AnyServer(provider)));
        let mut config = match self.issued {
            None => builder.with_no_client_auth(),
            Some(issued) => {
                builder.with_client_auth_cert(vec![issued.certificate.clone()], issued.key.clone_key()).unwrap()
            }
        };
        config.resumption = Resumption::in_memory_sessions(8);
        config.alpn_protocols = vec![if self.http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
        Arc::new(config)
    }

    fn request(&self, path: &str) -> http::Request<Empty<Bytes>> {
        // HTTP/2 takes the authority from the URI, HTTP/1 from `Host`.
        let uri = if self.http2 { format!("https://gateway.example.com{path}") } else { path.to_owned() };
        let mut request = http::Request::get(uri);
        if !self.http2 {
            request = request.header("host", "gateway.example.com");
        }
        request = request
            .header("x-caller", FORGED)
            .header("x-forwarded-client-cert", format!("By=spiffe://gateway;Subject=\"CN=ci\";URI={FORGED}"));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        request.body(Empty::new()).unwrap()
    }
}

/// A client with a certificate, or none.
pub fn client(issued: Option<&Issued>) -> Client<'_> {
    Client { issued, token: None, http2: false }
}

pub fn caller(name: &str) -> Outcome {
    Outcome::Caller(Some(name.to_owned()))
}

pub fn denied(code: &str) -> Outcome {
    Outcome::Denied(401, code.to_owned())
}

/// A token of the identity provider with these claims beside the usual ones.
pub fn token(claims: Value) -> String {
    let mut spec = TokenSpec::default();
    spec.claims.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    mint(&spec, SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// The authenticator of users.
pub fn users() -> Value {
    json!({
        "type": "jwt",
        "issuer": "https://idp.example.com",
        "audiences": ["api"],
        "jwks": {"inline": jwks(&["es1"]).unwrap()},
    })
}

/// A route whose caller the service is told.
pub fn route(path: &str, auth: Value) -> Value {
    let mapping = json!({"headers": {"x-caller": "$identity.subject"}});
    json!({"method": "GET", "path": path, "auth": auth, "mapping": mapping})
}

fn transport_socket(tls: Tls) -> Value {
    let trust = if tls.accept_untrusted { "ACCEPT_UNTRUSTED" } else { "VERIFY_TRUST_CHAIN" };
    json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "require_client_certificate": tls.require,
            "disable_stateless_session_resumption": !tls.resumption,
            "disable_stateful_session_resumption": !tls.resumption,
            "common_tls_context": {
                "alpn_protocols": ["h2", "http/1.1"],
                "tls_certificates": [{
                    "certificate_chain": {"filename": "{folder}/server.pem"},
                    "private_key": {"filename": "{folder}/server.key"},
                }],
                "validation_context": {
                    "trusted_ca": {"filename": "{folder}/ca.pem"},
                    "trust_chain_verification": trust,
                },
            },
        },
    })
}

/// Takes any server for the right one.
#[derive(Debug)]
struct AnyServer(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

const PATIENCE: Duration = Duration::from_secs(20);
