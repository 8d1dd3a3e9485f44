//! A gRPC service behind Envoy with gatepost: a real client and a real server over HTTP/2.

use std::{collections::BTreeMap, convert::Infallible, net::SocketAddr};

use serde_json::json;
use tonic::{
    Code, Request, Response, Status,
    codegen::{BoxFuture, Context, Poll, Service, http},
    metadata::MetadataValue,
    server::{NamedService, UnaryService},
    transport::{Channel, Server},
};
use tonic_prost::ProstCodec;
use wasm_test_harness::{
    envoy::{Envoy, Gateway, Listener},
    mint::{TokenSpec, jwks, mint},
    module_path,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_allowed_call_carries_identity_as_metadata() {
    let gateway = start().await;
    let reply = gateway.call("Get", Some(token(json!({})))).await.unwrap();
    assert_eq!(reply.user, ["user-1"], "the service receives the verified subject, and not what the client forged");
    assert!(!reply.authorization, "the credential stays at the gateway");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_denied_call_ends_with_a_grpc_status_and_the_code_as_its_message() {
    let gateway = start().await;
    let denied = gateway.call("Get", None).await.unwrap_err();
    assert_eq!((denied.code(), denied.message()), (Code::Unauthenticated, "missing_credential"));
    let denied = gateway.call("Get", Some(token(json!({"exp": "@now-2h"})))).await.unwrap_err();
    assert_eq!((denied.code(), denied.message()), (Code::Unauthenticated, "token_expired"));
    let denied = gateway.call("Delete", Some(token(json!({"roles": ["reader"]})))).await.unwrap_err();
    assert_eq!((denied.code(), denied.message()), (Code::PermissionDenied, "insufficient_role"));
    assert!(gateway.call("Delete", Some(token(json!({"roles": ["admin"]})))).await.is_ok());
}

/// Envoy with the module, and the service behind it.
struct Running {
    _envoy: Envoy,
    client: Channel,
}

impl Running {
    /// Calls a method with forged identity and, maybe, a token.
    async fn call(&self, method: &str, token: Option<String>) -> Result<Seen, Status> {
        let mut request = Request::new(Order { id: "7".to_owned() });
        request.metadata_mut().insert("x-user-id", MetadataValue::from_static("forged"));
        if let Some(token) = token {
            request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        let mut client = tonic::client::Grpc::new(self.client.clone());
        client.ready().await.map_err(|error| Status::unknown(error.to_string()))?;
        let path = format!("/shop.Orders/{method}").parse().unwrap();
        let codec = ProstCodec::<Order, Seen>::default();
        client.unary(request, path, codec).await.map(Response::into_inner)
    }
}

async fn start() -> Running {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let service = listener.local_addr().unwrap();
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    tokio::spawn(Server::builder().add_service(Orders).serve_with_incoming(incoming));
    let envoy = tokio::task::spawn_blocking(move || start_envoy(service)).await.unwrap();
    let address = envoy.listener("orders").unwrap_or_else(|| panic!("{}", envoy.log()));
    let client = Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    Running { _envoy: envoy, client }
}

fn start_envoy(service: SocketAddr) -> Envoy {
    let mapping = json!({"headers": {"x-user-id": "$request.jwt.sub"}});
    let configuration = json!({
        "authorizer": {
            "type": "jwt",
            "issuer": "https://idp.example.com",
            "audiences": ["api"],
            "jwks": {"inline": jwks(&["es1"]).unwrap()},
        },
        "paths": [
            {"method": "POST", "path": "/shop.Orders/{method}", "auth": true, "mapping": mapping},
            {
                "method": "POST",
                "path": "/shop.Orders/Delete",
                "auth": {"use": "default", "roles": ["admin"]},
                "mapping": mapping,
            },
        ],
    });
    let module = module_path();
    let environment = BTreeMap::new();
    let gateway = Gateway {
        module: &module,
        environment: &environment,
        service,
        clusters: Default::default(),
        direct_responses: Default::default(),
        http2_upstream: true,
    };
    let listener = Listener {
        name: "orders".to_owned(),
        configuration: configuration.to_string(),
        normalize_path: false,
        stop_iteration: false,
    };
    Envoy::start(&gateway.bootstrap(&[listener]), 1).unwrap_or_else(|error| panic!("{error}"))
}

fn token(claims: serde_json::Value) -> String {
    let mut spec = TokenSpec::default();
    spec.claims.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    mint(&spec, now).unwrap()
}

/// What a call asks.
#[derive(Clone, PartialEq, prost::Message)]
struct Order {
    #[prost(string, tag = "1")]
    id: String,
}

/// What the service saw of the caller.
#[derive(Clone, PartialEq, prost::Message)]
struct Seen {
    #[prost(string, repeated, tag = "1")]
    user: Vec<String>,
    #[prost(bool, tag = "2")]
    authorization: bool,
}

/// The service, written by hand as `tonic-build` would: no protoc is needed.
#[derive(Clone)]
struct Orders;

impl NamedService for Orders {
    const NAME: &'static str = "shop.Orders";
}

impl Service<http::Request<tonic::body::Body>> for Orders {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(ProstCodec::<Seen, Order>::default());
            Ok(grpc.unary(Tell, request).await)
        })
    }
}

/// Tells the caller's metadata, whatever the method.
struct Tell;

impl UnaryService<Order> for Tell {
    type Response = Seen;
    type Future = BoxFuture<Response<Seen>, Status>;

    fn call(&mut self, request: Request<Order>) -> Self::Future {
        let metadata = request.metadata();
        let user = metadata.get_all("x-user-id").iter().map(|value| value.to_str().unwrap_or("?").to_owned()).collect();
        let seen = Seen { user, authorization: metadata.contains_key("authorization") };
        Box::pin(async move { Ok(Response::new(seen)) })
    }
}
