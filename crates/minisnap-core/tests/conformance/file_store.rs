//! The store under test over the backend in a folder: processes open it by the folder's path.

use crate::{
    file_backend::{Handle, names},
    process_faults::WithProcessFault,
};
use minisnap_core::{
    SnapshotBackend, async_trait,
    conformance::{Capability, StoreUnderTest},
    random_name_part,
};
use std::{
    env, fs,
    marker::PhantomData,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The store under test, correct except for the fault `F`.
pub struct FileStore<F>(PathBuf, PhantomData<F>);

impl<F> Drop for FileStore<F> {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[async_trait]
impl<F: WithProcessFault> StoreUnderTest for FileStore<F> {
    async fn fresh() -> Self {
        let folder = env::temp_dir().join(format!("minisnap-core-{}", random_name_part(16).unwrap()));
        fs::create_dir(&folder).unwrap();
        for name in ["generations", "stages"] {
            fs::create_dir(folder.join(name)).unwrap();
        }
        Self(folder, PhantomData)
    }

    async fn open(&self) -> Arc<dyn SnapshotBackend> {
        Arc::new(Handle::new(&self.0, F::FAULT))
    }

    async fn garbage(&self) -> Vec<String> {
        let handle = Handle::new(&self.0, F::FAULT);
        let record = handle.record().unwrap();
        let mut garbage = names(&self.0.join("stages"));
        let generations = names(&self.0.join("generations"));
        garbage.extend(generations.into_iter().filter(|name| record.iter().all(|known| known.name() != name)));
        garbage
    }

    fn lacks() -> &'static [Capability] {
        &[]
    }

    fn address(&self) -> Option<String> {
        Some(self.0.to_str().unwrap().to_owned())
    }

    async fn open_address(address: &str) -> Option<Arc<dyn SnapshotBackend>> {
        Some(Arc::new(Handle::new(Path::new(address), F::FAULT)))
    }
}
