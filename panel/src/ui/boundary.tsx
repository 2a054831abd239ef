import { Component, type ReactNode } from "react";
import { Failure } from "./basic";

/** Keeps the rest of the page alive when one part fails. */
export class Boundary extends Component<{ children: ReactNode }, { error: unknown }> {
  override state: { error: unknown } = { error: null };
  static getDerivedStateFromError(error: unknown) {
    return { error };
  }
  override render() {
    if (this.state.error === null) return this.props.children;
    return <div className="box"><Failure error={this.state.error} retry={() => this.setState({ error: null })} /></div>;
  }
}
