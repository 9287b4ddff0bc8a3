//! Every call to the Kubernetes API that this program makes. All of them read, but for the access
//! reviews, which create nothing that stays, and the last one.

use std::future::Future;

use futures_util::future::BoxFuture;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::api::{Api, DeleteParams, ListParams, LogParams, PostParams, Preconditions};
use serde::de::DeserializeOwned;

use super::access::{NEEDED, Right};
use super::connect::Cluster;
use super::error::ClusterError;
use super::logs::LogStream;
use super::namespace::{NamespaceState, RunRoles, TestNamespace};
use super::node::Node;
use super::pod::Pod;
use crate::kube_version::KubeVersion;

/// Objects a page: a cluster of thousands of nodes answers in pieces.
const PAGE: u32 = 500;

impl Cluster {
    /// GET /version.
    pub(super) async fn ask_version(&self) -> Result<KubeVersion, ClusterError> {
        let action = "tell its version";
        let info = self.call(action, self.client.apiserver_version()).await?;
        // `minor` may be `26+`, so that the whole text is what counts.
        info.git_version.parse().map_err(|e| ClusterError::Answer {
            action: action.to_owned(),
            reason: format!("{e}"),
        })
    }

    /// All nodes.
    pub async fn nodes(&self) -> Result<Vec<Node>, ClusterError> {
        let nodes = Api::<core::Node>::all(self.client.clone());
        let nodes = self
            .list("list nodes", &nodes, ListParams::default())
            .await?;
        Ok(nodes.into_iter().map(Node::read).collect())
    }

    /// Whether a namespace is there.
    pub async fn namespace(&self, name: &str) -> Result<NamespaceState, ClusterError> {
        let namespaces = Api::<core::Namespace>::all(self.client.clone());
        let found = self
            .call("get the namespace", namespaces.get_opt(name))
            .await?;
        Ok(found.map_or(NamespaceState::Absent, NamespaceState::read))
    }

    /// The namespaces that tests made, of any run.
    pub async fn test_namespaces(&self) -> Result<Vec<TestNamespace>, ClusterError> {
        let namespaces = Api::<core::Namespace>::all(self.client.clone());
        let params = ListParams::default().labels("e2e-framework,e2e-run");
        let found = self.list("list namespaces", &namespaces, params).await?;
        Ok(found.into_iter().map(TestNamespace::read).collect())
    }

    /// The pods of a namespace.
    pub async fn pods(&self, namespace: &str) -> Result<Vec<Pod>, ClusterError> {
        self.pods_of(namespace, ListParams::default()).await
    }

    /// The pods of all namespaces in phase `Pending`: where a container waits for its image, the
    /// whole pod is.
    pub async fn pending_pods(&self) -> Result<Vec<Pod>, ClusterError> {
        let pods = Api::<core::Pod>::all(self.client.clone());
        let params = ListParams::default().fields("status.phase=Pending");
        let found = self.list("list pods", &pods, params).await?;
        Ok(found.into_iter().map(Pod::read).collect())
    }

    /// Sonobuoy's aggregators in all namespaces.
    pub async fn aggregators(&self) -> Result<Vec<Pod>, ClusterError> {
        let pods = Api::<core::Pod>::all(self.client.clone());
        let params = ListParams::default().labels("sonobuoy-component=aggregator");
        let found = self.list("list pods", &pods, params).await?;
        Ok(found.into_iter().map(Pod::read).collect())
    }

    /// How many of the pods are there that sonobuoy's preflight takes for the cluster's DNS.
    pub async fn dns_pods(&self) -> Result<usize, ClusterError> {
        let params = ListParams::default().labels("k8s-app in (kube-dns,coredns)");
        Ok(self.pods_of("kube-system", params).await?.len())
    }

    /// Whether a secret is there; its content is not asked for.
    pub async fn has_secret(&self, namespace: &str, name: &str) -> Result<bool, ClusterError> {
        let secrets = Api::<core::Secret>::namespaced(self.client.clone(), namespace);
        let found = self
            .call("get the secret", secrets.get_metadata_opt(name))
            .await?;
        Ok(found.is_some())
    }

    /// Sonobuoy's aggregator in a namespace: by its label, by the one of older releases, by name.
    pub async fn aggregator(&self, namespace: &str) -> Result<Option<Pod>, ClusterError> {
        for label in ["sonobuoy-component=aggregator", "run=sonobuoy-master"] {
            let params = ListParams::default().labels(label);
            let found = self.pods_of(namespace, params).await?;
            // While one is being replaced, the one that stays counts.
            let stays = found.iter().position(|pod| !pod.terminating);
            if let Some(pod) = found.into_iter().nth(stays.unwrap_or(0)) {
                return Ok(Some(pod));
            }
        }
        let pods = Api::<core::Pod>::namespaced(self.client.clone(), namespace);
        let found = self
            .call("get the pod sonobuoy", pods.get_opt("sonobuoy"))
            .await?;
        Ok(found.map(Pod::read))
    }

    /// Follows the log of a container from its beginning.
    pub async fn follow_log(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
    ) -> Result<LogStream, ClusterError> {
        let pods = Api::<core::Pod>::namespaced(self.client.clone(), namespace);
        let params = LogParams {
            container: Some(container.to_owned()),
            follow: true,
            ..LogParams::default()
        };
        let opened = pods.log_stream(pod, &params);
        Ok(LogStream::new(self.call("read the log", opened).await?))
    }

    /// The labelled cluster-wide objects of the run in `namespace`.
    pub async fn run_roles(&self, namespace: &str) -> Result<RunRoles, ClusterError> {
        let labels = format!("component=sonobuoy,namespace={namespace}");
        let params = ListParams::default().labels(&labels);
        let roles = Api::<ClusterRole>::all(self.client.clone());
        let bindings = Api::<ClusterRoleBinding>::all(self.client.clone());
        let (roles, bindings) = tokio::try_join!(
            self.list("list cluster roles", &roles, params.clone()),
            self.list("list cluster role bindings", &bindings, params),
        )?;
        let name = |name: Option<String>| name.unwrap_or_default();
        Ok(RunRoles {
            roles: roles.into_iter().map(|r| name(r.metadata.name)).collect(),
            bindings: bindings
                .into_iter()
                .map(|b| name(b.metadata.name))
                .collect(),
        })
    }

    /// Which of the rights that a run in `namespace` needs the user lacks.
    pub async fn missing_rights(&self, namespace: &str) -> Result<Vec<Right>, ClusterError> {
        let reviews = NEEDED.iter().map(|right| self.allows(*right, namespace));
        let allowed = futures_util::future::try_join_all(reviews).await?;
        let answers = NEEDED.iter().zip(allowed);
        Ok(answers
            .filter(|(_, allowed)| !allowed)
            .map(|(right, _)| *right)
            .collect())
    }

    async fn allows(&self, right: Right, namespace: &str) -> Result<bool, ClusterError> {
        let (resource, subresource) = match right.resource.split_once('/') {
            Some((resource, sub)) => (resource, Some(sub.to_owned())),
            None => (right.resource, None),
        };
        let review = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(ResourceAttributes {
                    verb: Some(right.verb.to_owned()),
                    group: Some(right.group.to_owned()),
                    resource: Some(resource.to_owned()),
                    subresource,
                    namespace: right.in_namespace.then(|| namespace.to_owned()),
                    ..ResourceAttributes::default()
                }),
                ..SelfSubjectAccessReviewSpec::default()
            },
            ..SelfSubjectAccessReview::default()
        };
        let reviews = Api::<SelfSubjectAccessReview>::all(self.client.clone());
        let params = PostParams::default();
        let asked = reviews.create(&params, &review);
        let answer = self.call("tell your rights", asked).await?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }

    /// Deletes a left-over test namespace, unless another one has its name by now. The one write.
    pub async fn delete_test_namespace(&self, left: &TestNamespace) -> Result<(), ClusterError> {
        let namespaces = Api::<core::Namespace>::all(self.client.clone());
        let params = DeleteParams::default().preconditions(Preconditions {
            uid: Some(left.uid.clone()),
            resource_version: None,
        });
        let deleted = namespaces.delete(&left.name, &params);
        let deleted = self.call("delete the namespace", deleted).await;
        match deleted.map(|_| ()) {
            // Gone by itself; or another one has its name, which the precondition spared.
            Err(ClusterError::Refused {
                code: 404 | 409, ..
            }) => Ok(()),
            other => other,
        }
    }

    async fn pods_of(&self, namespace: &str, params: ListParams) -> Result<Vec<Pod>, ClusterError> {
        let pods = Api::<core::Pod>::namespaced(self.client.clone(), namespace);
        let found = self.list("list pods", &pods, params).await?;
        Ok(found.into_iter().map(Pod::read).collect())
    }

    /// All pages of a list.
    async fn list<K>(
        &self,
        action: &str,
        api: &Api<K>,
        params: ListParams,
    ) -> Result<Vec<K>, ClusterError>
    where
        K: Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
    {
        let mut params = params.limit(PAGE);
        let mut all = Vec::new();
        loop {
            let page = self.call(action, api.list(&params)).await?;
            all.extend(page.items);
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(all),
            }
        }
    }

    /// One answer, in time. In a box, because kube's futures are large.
    fn call<'a, T: 'a>(
        &'a self,
        action: &'a str,
        answer: impl Future<Output = kube::Result<T>> + Send + 'a,
    ) -> BoxFuture<'a, Result<T, ClusterError>> {
        let answered = tokio::time::timeout(self.timeout, answer);
        Box::pin(async move {
            match answered.await {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(error)) => Err(ClusterError::of(&error, action, self.server())),
                Err(_) => Err(ClusterError::Unreachable {
                    server: self.server().to_owned(),
                    reason: format!("no answer within {:?}", self.timeout),
                }),
            }
        })
    }
}
