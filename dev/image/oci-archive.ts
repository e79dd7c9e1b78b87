// Writes an OCI image layout as one tar file, which `ctr image import`, `skopeo copy oci-archive:`, `docker load` and
// `kind load image-archive` read. Reproducible: the same files give the same bytes, whoever builds them, when and where;
// no user of the machine, no time and no order of a directory gets in. Needs no root and no Docker.
// Source: OCI image format 1.1 (image layout, manifest, configuration, layer).

import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { buffer } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";

/** One entry of a layer: a directory when `path` ends in a slash, a link, or a file. Owned by root. */
export interface ImageFile {
  /** Without a leading slash. */
  readonly path: string;
  readonly mode: number;
  readonly content?: Uint8Array | string;
  /** Target of a symbolic link. */
  readonly link?: string;
  /** File capabilities: the value of security.capability (see capabilities.ts). */
  readonly capabilities?: Buffer;
}

export interface Image {
  /** From the bottom. */
  readonly layers: readonly (readonly ImageFile[])[];
  /** `config` of the image configuration: User, Entrypoint, Env, Labels ... */
  readonly config: Readonly<Record<string, unknown>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface WrittenImage {
  /** Of the manifest: what the image is pinned by. */
  readonly digest: string;
  /** Of the archive. */
  readonly bytes: number;
}

const MEDIA = "application/vnd.oci.image";
const EPOCH = new Date(0);
const EPOCH_TEXT = "1970-01-01T00:00:00Z";
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };
/** Where PAX headers keep extended attributes, as GNU tar and containerd have it. */
const PAX_CAPABILITY = "SCHILY.xattr.security.capability";

/** Writes the image under the name `name` (NAME:TAG) to `file`. */
export async function writeImage(file: string, name: string, image: Image): Promise<WrittenImage> {
  const blobs: ImageFile[] = [];
  const put = (content: Buffer) => {
    const hex = sha256(content);
    if (!blobs.some(({ path }) => path.endsWith(hex)))
      blobs.push({ path: `blobs/sha256/${hex}`, mode: 0o644, content });
    return { digest: `sha256:${hex}`, size: content.length };
  };
  const putJson = (value: unknown) => put(Buffer.from(JSON.stringify(value)));
  const architecture = ARCHITECTURES[process.arch] ?? process.arch;
  const layers: object[] = [];
  const diffIds: string[] = [];
  for (const files of image.layers) {
    const tar = await makeTar(files);
    diffIds.push(`sha256:${sha256(tar)}`);
    layers.push({ mediaType: `${MEDIA}.layer.v1.tar+gzip`, ...put(gzipSync(tar, { level: 9 })) });
  }
  const config = putJson({
    created: EPOCH_TEXT,
    architecture,
    os: "linux",
    config: image.config,
    rootfs: { type: "layers", diff_ids: diffIds },
    history: diffIds.map(() => ({ created: EPOCH_TEXT })),
  });
  const manifest = putJson({
    schemaVersion: 2,
    mediaType: `${MEDIA}.manifest.v1+json`,
    config: { mediaType: `${MEDIA}.config.v1+json`, ...config },
    layers,
    ...(image.annotations === undefined ? {} : { annotations: image.annotations }),
  });
  const index = {
    schemaVersion: 2,
    manifests: [
      {
        mediaType: `${MEDIA}.manifest.v1+json`,
        ...manifest,
        platform: { architecture, os: "linux" },
        annotations: {
          "io.containerd.image.name": name,
          "org.opencontainers.image.ref.name": name.slice(name.lastIndexOf(":") + 1),
        },
      },
    ],
  };
  const archive = await makeTar([
    { path: "oci-layout", mode: 0o644, content: '{"imageLayoutVersion":"1.0.0"}' },
    { path: "index.json", mode: 0o644, content: JSON.stringify(index) },
    ...legacyManifest(name, config.digest, layers as readonly { digest: string }[]),
    ...blobs,
  ]);
  writeFileSync(file, archive);
  return { digest: manifest.digest, bytes: archive.length };
}

/** The older index of `docker save`, which `docker load` before version 25 looks for. */
function legacyManifest(
  name: string,
  configDigest: string,
  layers: readonly { readonly digest: string }[],
): readonly ImageFile[] {
  const path = (digest: string) => `blobs/${digest.replace(":", "/")}`;
  const content = [
    { Config: path(configDigest), RepoTags: [name], Layers: layers.map(({ digest }) => path(digest)) },
  ];
  return [{ path: "manifest.json", mode: 0o644, content: JSON.stringify(content) }];
}

function makeTar(files: readonly ImageFile[]): Promise<Buffer> {
  const tar = pack();
  for (const { path, mode, content, link, capabilities } of files) {
    const type = link !== undefined ? "symlink" : path.endsWith("/") ? "directory" : "file";
    // Every byte of a capability header is below 0x80 as long as no capability above number 30 is in it.
    const pax =
      capabilities === undefined ? {} : { pax: { [PAX_CAPABILITY]: capabilities.toString("latin1") } };
    const header = {
      name: path,
      mode,
      type,
      uid: 0,
      gid: 0,
      mtime: EPOCH,
      ...pax,
      ...(link === undefined ? {} : { linkname: link }),
    } as const;
    if (type === "file") tar.entry(header, Buffer.from(content ?? ""));
    else tar.entry(header);
  }
  tar.finalize();
  return buffer(tar);
}

function sha256(content: Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}
