import { Component, type ReactNode } from "react";

// Boundary shows something else where drawing failed: a part of the app that
// could not be fetched, or a fault of ours. The rest of the page lives on.
export class Boundary extends Component<{ instead: (again: () => void) => ReactNode; children: ReactNode }> {
  override state = { failed: false };

  static getDerivedStateFromError() {
    return { failed: true };
  }

  override render(): ReactNode {
    if (!this.state.failed) return this.props.children;
    return this.props.instead(() => this.setState({ failed: false }));
  }
}
