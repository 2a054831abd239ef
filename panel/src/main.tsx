import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ApiError } from "./api/client";
import { App } from "./app";
import { start } from "./i18n";
import { startTheme } from "./lib/theme";
import "./styles.css";

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // A server that starts again is asked again; what it says is final.
      retry: (failures, err) => failures < 2 && (!(err instanceof ApiError) || err.status === 0 || (err.status > 500 && !err.message)),
    },
  },
});

startTheme();
const root = document.getElementById("root");
if (root)
  void start().then(() =>
    createRoot(root).render(
      <StrictMode>
        <QueryClientProvider client={client}>
          <App />
        </QueryClientProvider>
      </StrictMode>,
    ),
  );
