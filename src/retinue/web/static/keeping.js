// What a reload must not lose: blobs under a name, in this browser's own database.
const open = () =>
  new Promise((resolve, reject) => {
    const asked = indexedDB.open("retinue", 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore("kept");
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });

async function within(mode, act) {
  const database = await open();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction("kept", mode);
      const asked = act(transaction.objectStore("kept"));
      transaction.oncomplete = () => resolve(asked.result);
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
    });
  } finally {
    database.close();
  }
}

export const keep = (name, value) => within("readwrite", (store) => store.put(value, name));
export const kept = (name) => within("readonly", (store) => store.get(name));
