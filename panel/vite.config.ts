import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const server = "http://127.0.0.1:8317";

export default defineConfig({
  plugins: [react()],
  base: "./",
  // The page is served as /management.html and its files as /panel/assets/…; both stay relative, so
  // that the proxy can be mounted below a prefix.
  experimental: {
    renderBuiltUrl: (name, { hostType }) =>
      hostType === "html" ? `panel/${name}` : { relative: true },
  },
  build: {
    outDir: "../src/cliproxy/panel_dist",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 600,
  },
  server: { proxy: { "/v0": server, "/v1": server } },
});
